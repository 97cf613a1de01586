/**
 * Where the members of the federation listen, as far as this process knows.
 *
 * Invariants: an entry is signed by the key that the cluster map gives its node, and never replaced by an older one;
 * there is at most one entry per node of the map. Survives a restart (the owner stores `records`), so that peers are
 * found without the DHT.
 * Leaves to others: the exchange (member-service.ts), dialling (transport), the file (main).
 */
import type { MapNode } from '../core/cluster-map.ts'
import {
  type AddressRecord,
  addressBytes,
  parseSignedAddress,
  type SignedAddress,
} from '../protocol/address-record.ts'

export interface AddressBookOptions {
  readonly federationId: string
  /** This node; `sign` signs with its TLS identity. */
  readonly nodeId: string
  readonly sign: (bytes: Uint8Array) => string
  readonly verify: (publicKeyHex: string, bytes: Uint8Array, signatureHex: string) => boolean
  /** The admitted node of the current map. */
  readonly nodeOf: (nodeId: string) => MapNode | undefined
  /** Unsigned addresses from the configuration, used until a record is known. */
  readonly hints?: Readonly<Record<string, { readonly host: string; readonly port: number }>>
}

/** new: stored. known: not newer than what we have. bad: malformed, not admitted here, or wrongly signed. */
export type Acceptance = 'new' | 'known' | 'bad'

export class AddressBook {
  readonly #options: AddressBookOptions
  readonly #records = new Map<string, SignedAddress>()
  readonly #listeners: ((record: SignedAddress) => void)[] = []

  constructor(options: AddressBookOptions) {
    this.#options = options
  }

  /** Called with every record that is stored. */
  onNew(listener: (record: SignedAddress) => void): void {
    this.#listeners.push(listener)
  }

  /** Where to dial a node: its newest record, else the configured hint. */
  addressOf(nodeId: string): { host: string; port: number } | undefined {
    const record = this.#records.get(nodeId)
    return record ? { host: record.host, port: record.port } : this.#options.hints?.[nodeId]
  }

  /** Whether a node has said where it is (a hint is not enough). */
  has(nodeId: string): boolean {
    return this.#records.has(nodeId)
  }

  /** Records of nodes that are still admitted. */
  records(): SignedAddress[] {
    return [...this.#records.values()].filter((record) => this.#options.nodeOf(record.nodeId) !== undefined)
  }

  /** Our own record once `announce` was called. */
  own(): SignedAddress | undefined {
    return this.#records.get(this.#options.nodeId)
  }

  /** Checks and stores what came from a peer or a file. Verifies a signature only when the record would be stored. */
  accept(value: unknown): Acceptance {
    const record = parseSignedAddress(value)
    if (record === undefined || record.federationId !== this.#options.federationId) return 'bad'
    const known = this.#records.get(record.nodeId)
    if (known && known.sequence >= record.sequence) return 'known'
    const node = this.#options.nodeOf(record.nodeId)
    if (node === undefined) return 'bad'
    if (!this.#options.verify(node.publicKey, addressBytes(record), record.signature)) return 'bad'
    this.#store(record)
    return 'new'
  }

  /**
   * Says where this node listens. `nowMs` (wall clock) starts the sequence, so that a node that lost its disk is still
   * believed; a clock that went back does not matter, the sequence rises all the same.
   */
  announce(address: { host: string; port: number }, nowMs: number): SignedAddress {
    const { federationId, nodeId, sign } = this.#options
    const sequence = Math.max(nowMs, (this.own()?.sequence ?? 0) + 1)
    const record: AddressRecord = { federationId, nodeId, host: address.host, port: address.port, sequence }
    const signed: SignedAddress = { ...record, signature: sign(addressBytes(record)) }
    this.#store(signed)
    return signed
  }

  #store(record: SignedAddress): void {
    this.#records.set(record.nodeId, record)
    for (const listener of this.#listeners) listener(record)
  }
}
