/**
 * Remembers what recent requests were answered, so that a proposal repeated after a timeout is applied once.
 *
 * The rows are part of the replicated state: a ring of `requestsRemembered` slots, slot = index mod ring size, each
 * with the index, the request id and the encoded reply of the entry that was applied there. So all replicas, and
 * a replica made from a snapshot, recognise the same repetitions at the same index. An index in memory finds the
 * slot of a request; it is rebuilt from the rows.
 */
import type { Row, RowMutation } from '../world.ts'
import { asMap, asNumber, asString, decodeValue, encodeValue } from './replica-codec.ts'

/** Part of the replicated state's format: replicas that differ here would diverge. */
export const requestsRemembered = 16_384

export interface RememberedReply {
  readonly reply: unknown
}

export class RequestRing {
  #slots: (string | undefined)[] = new Array(requestsRemembered).fill(undefined)
  #indexes = new Map<string, number>()

  /** The ring that these rows hold. */
  static async load(rows: AsyncIterable<Row>): Promise<RequestRing> {
    const ring = new RequestRing()
    for await (const { value } of rows) ring.restore(value)
    return ring
  }

  /** Takes note of a row of the ring. */
  restore(value: Uint8Array): void {
    const { i, q } = asMap(decodeValue(value))
    this.#note(asNumber(i), asString(q))
  }

  /** Becomes the other ring, which is not used any more: a snapshot was installed. */
  adopt(other: RequestRing): void {
    this.#slots = other.#slots
    this.#indexes = other.#indexes
  }

  /**
   * Key of the row that answers `requestId` for an entry at `index`, or undefined when the request is new or was
   * answered longer ago than the ring reaches.
   */
  find(requestId: string, index: number): string | undefined {
    const answered = this.#indexes.get(requestId)
    if (answered === undefined || answered <= index - requestsRemembered) return undefined
    return keyOf(answered)
  }

  /** Remembers the reply of the entry at `index`; the mutation belongs to the entry's own. */
  remember(index: number, requestId: string, reply: unknown): RowMutation {
    this.#note(index, requestId)
    return { key: keyOf(index), value: encodeValue({ i: index, q: requestId, r: reply }) }
  }

  #note(index: number, requestId: string): void {
    const slot = index % requestsRemembered
    const previous = this.#slots[slot]
    if (previous !== undefined && (this.#indexes.get(previous) ?? index) % requestsRemembered === slot) {
      this.#indexes.delete(previous)
    }
    this.#slots[slot] = requestId
    // While loading, slots come in any order: a request that was applied again after its time is the later one.
    if ((this.#indexes.get(requestId) ?? -1) < index) this.#indexes.set(requestId, index)
  }
}

/** The reply in a row of the ring. */
export function decodeReply(value: Uint8Array): unknown {
  return asMap(decodeValue(value)).r
}

function keyOf(index: number): string {
  return (index % requestsRemembered).toString(16).padStart(4, '0')
}
