/**
 * Sends the replicated state of a group to a follower that is behind the log, in bounded chunks, one at a time.
 *
 * The rows come from a snapshot of the store, so that applying goes on meanwhile; the position is the one that
 * this snapshot shows. A chunk that is not answered is repeated; a follower that lost its place, or a sender that
 * lost its leadership, ends the transfer, and Raft asks for another one if it is still needed.
 */
import type { SnapshotChunk, SnapshotPosition } from '../core/raft-messages.ts'
import type { Row, RowSnapshot } from '../world.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import { type GroupStorage, replicatedSpaces } from './replica-storage.ts'

/** What a chunk says beside its envelope. */
export type ChunkContent = Pick<SnapshotChunk, 'position' | 'transferId' | 'chunk' | 'last' | 'rows'>

export interface TransferParts {
  readonly storage: GroupStorage
  readonly snapshot: RowSnapshot
  readonly position: SnapshotPosition
  readonly transferId: string
  readonly limits: ReplicaLimits
  send(content: ChunkContent): void
  /** Called once: the index that the follower was brought to, or undefined when the transfer failed. */
  onEnd(index: number | undefined): void
  onFatal(cause: unknown): void
}

export class SnapshotTransfer {
  readonly transferId: string
  readonly position: SnapshotPosition
  readonly #parts: TransferParts
  readonly #rows: AsyncIterator<Row>
  /** Read ahead of the chunk that it did not fit. */
  #spare: Row | undefined
  #current: ChunkContent | undefined
  #chunks = 0
  #sentMs = 0
  #retries = 0
  #ended = false

  constructor(parts: TransferParts) {
    this.#parts = parts
    this.transferId = parts.transferId
    this.position = parts.position
    this.#rows = allRows(parts.storage, parts.snapshot)
  }

  /** Sends the first chunk. */
  start(nowMs: number): void {
    this.#sendNext(nowMs)
  }

  /** The follower wants `nextChunk`. */
  answered(nextChunk: number, nowMs: number): void {
    const current = this.#current
    if (this.#ended || current === undefined) return
    if (nextChunk === current.chunk + 1) {
      if (current.last) this.end(this.position.index)
      else this.#sendNext(nowMs)
    } else if (nextChunk !== current.chunk) {
      // It restarted, or begins anew: chunks that were sent cannot be made again from here.
      this.end(undefined)
    }
  }

  /** Repeats a chunk whose answer is overdue, gives up after too many. */
  tick(nowMs: number): void {
    const { snapshotRetryMs, snapshotRetriesMax } = this.#parts.limits
    if (this.#ended || this.#current === undefined || nowMs - this.#sentMs < snapshotRetryMs) return
    this.#retries += 1
    if (this.#retries > snapshotRetriesMax) this.end(undefined)
    else {
      this.#sentMs = nowMs
      this.#parts.send(this.#current)
    }
  }

  /** Ends the transfer, once. */
  end(index: number | undefined): void {
    if (this.#ended) return
    this.#ended = true
    const closed = Promise.resolve(this.#rows.return?.()).then(() => this.#parts.snapshot.close())
    closed.catch((cause) => this.#parts.onFatal(cause))
    this.#parts.onEnd(index)
  }

  #sendNext(nowMs: number): void {
    this.#current = undefined
    this.#readChunk().then(
      ({ rows, last }) => {
        if (this.#ended) return
        const { position, transferId } = this
        this.#current = { position, transferId, chunk: this.#chunks, last, rows }
        this.#chunks += 1
        this.#retries = 0
        this.#sentMs = nowMs
        this.#parts.send(this.#current)
      },
      (cause) => this.#parts.onFatal(cause),
    )
  }

  /** Rows up to the bound, at least one when any is left. */
  async #readChunk(): Promise<{ rows: Row[]; last: boolean }> {
    const rows: Row[] = []
    let bytes = 0
    for (;;) {
      const row = this.#spare ?? (await this.#nextRow())
      this.#spare = undefined
      if (row === undefined) return { rows, last: true }
      bytes += row.key.length + row.value.byteLength
      if (bytes > this.#parts.limits.snapshotChunkBytes && rows.length > 0) {
        this.#spare = row
        return { rows, last: false }
      }
      rows.push(row)
    }
  }

  async #nextRow(): Promise<Row | undefined> {
    const next = await this.#rows.next()
    return next.done === true ? undefined : next.value
  }
}

/** Every row of the replicated state, its space in front of its key. */
async function* allRows(storage: GroupStorage, snapshot: RowSnapshot): AsyncGenerator<Row> {
  for (const space of replicatedSpaces) {
    for await (const { key, value } of storage.scan(snapshot, space)) yield { key: space + key, value }
  }
}
