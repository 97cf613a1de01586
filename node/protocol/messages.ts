/**
 * The table of wire messages: one row per request, with its id, the kind of connection it travels on, who may
 * send it and how long it may take. Ids are append-only; a retired id is never given again.
 *
 * Every message is a request with one reply, or an error with a ClusterError code. Requests and replies are
 * MessagePack maps, optionally followed by a body of raw bytes (cells of shards, rows of snapshots): see
 * `frame.ts`. Unknown fields are ignored, missing ones have the meaning they had before they existed.
 */
import type { CatalogCommand, CatalogQuery } from '../core/catalog-types.ts'
import type { NodeRole } from '../core/cluster-map.ts'
import type { RegistryCommand, RegistryQuery } from '../core/registry-types.ts'
import type { SignedAddress } from './address-record.ts'

/** control: small, latency matters, never shared with bulk. bulk: cells of shards, several connections a peer. */
export type ConnectionClass = 'control' | 'bulk'

export interface MessageSpec {
  readonly id: number
  readonly connection: ConnectionClass
  /** Roles that may send it; checked against the registry by the receiver's funnel. */
  readonly from: readonly NodeRole[]
  /** one-way messages have no reply: Raft repeats what is lost. */
  readonly oneWay?: true
  readonly timeoutMs: number
}

const members: readonly NodeRole[] = ['catalog', 'shard', 'witness', 'gateway', 'auditor']

export const messages = {
  ping: { id: 1, connection: 'control', from: members, timeoutMs: 1_000 },
  raft: { id: 2, connection: 'control', from: ['catalog'], oneWay: true, timeoutMs: 0 },
  'registry-propose': {
    id: 3,
    connection: 'control',
    from: ['gateway', 'catalog', 'shard'],
    timeoutMs: 10_000,
  },
  'registry-query': { id: 4, connection: 'control', from: members, timeoutMs: 5_000 },
  'catalog-propose': {
    id: 5,
    connection: 'control',
    from: ['gateway', 'catalog', 'shard'],
    timeoutMs: 10_000,
  },
  'catalog-query': { id: 6, connection: 'control', from: ['gateway', 'catalog', 'shard'], timeoutMs: 5_000 },
  'write-shard': { id: 7, connection: 'bulk', from: ['gateway', 'shard', 'catalog'], timeoutMs: 20_000 },
  'read-shard': { id: 8, connection: 'bulk', from: ['gateway', 'shard', 'catalog'], timeoutMs: 20_000 },
  'delete-shards': { id: 9, connection: 'bulk', from: ['gateway', 'shard', 'catalog'], timeoutMs: 20_000 },
  'rebuild-shard': { id: 10, connection: 'bulk', from: ['gateway', 'shard', 'catalog'], timeoutMs: 600_000 },
  'list-shards': { id: 11, connection: 'bulk', from: ['shard', 'catalog'], timeoutMs: 20_000 },
  'sign-journal': { id: 12, connection: 'control', from: ['catalog'], timeoutMs: 5_000 },
  'raft-bulk': { id: 13, connection: 'bulk', from: ['catalog'], oneWay: true, timeoutMs: 0 },
  'abort-shard': { id: 14, connection: 'bulk', from: ['gateway', 'shard', 'catalog'], timeoutMs: 5_000 },
} as const satisfies Record<string, MessageSpec>

export type MessageName = keyof typeof messages

/** What a shard is, written into its file's header and sent with its first cells. */
export interface ShardHeader {
  readonly blobId: string
  readonly shardIndex: number
  /** The catalog group that knows the blob; garbage collection asks it. */
  readonly groupId: string
  readonly code: string
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
  readonly generation: number
}

/**
 * Requests by message name.
 *
 * Bodies of `write-shard` and `read-shard`: consecutive framed cells, each `cell bytes, u32le CRC32 of the cell
 * (initial value = cell index), u32le cell length` (see core/geometry.ts). All cells but the last of a shard have `cellBytes`.
 */
export interface Requests {
  /** `address`: where the caller listens, with the first ping of a connection: finds its way without the DHT. */
  ping: { sentMs: number; epoch: number; address?: SignedAddress }
  raft: { payload: Uint8Array }
  'raft-bulk': { payload: Uint8Array }
  'registry-propose': { requestId: string; command: RegistryCommand }
  'registry-query': { query: RegistryQuery; linearizable: boolean }
  'catalog-propose': { groupId: string; requestId: string; command: CatalogCommand }
  'catalog-query': { groupId: string; query: CatalogQuery }
  /** Appends cells to a shard that is being written; `firstCell` must be the next one. `seal`: fsync, rename, fsync the directory, then reply. */
  'write-shard': { header: ShardHeader; firstCell: number; cellCount: number; seal: boolean }
  'read-shard': {
    blobId: string
    shardIndex: number
    generation: number
    firstCell: number
    cellCount: number
  }
  /** With `sealedMs`: only that incarnation (as listed); a copy that was written since then stays. */
  'delete-shards': { shards: readonly { blobId: string; shardIndex: number; sealedMs?: number }[] }
  /** The receiver reads `dataShards` other shards, computes this one and seals it. Cells of the last stripe: `lastCellBytes`. */
  'rebuild-shard': {
    header: ShardHeader
    /** Ciphertext bytes of the blob: gives the stripes. */
    bytes: number
    /**
     * Where the other shards are; index = shard index, undefined: not available. An entry for the wanted shard itself
     * names a copy of it, which is tried first (moving a shard; the receiver may be named: it renews its own copy).
     */
    sources: readonly (string | undefined)[]
  }
  'abort-shard': { blobId: string; shardIndex: number }
  /**
   * Shards behind `after` (`<blobId>.<index, 3 digits>`) and up to `until`, included, in byte order; `groupId`: only
   * those of that group.
   */
  'list-shards': { after: string; limit: number; until?: string; groupId?: string }
  'sign-journal': { groupId: string; payload: Uint8Array }
}

export interface Replies {
  ping: { receivedMs: number; epoch: number }
  raft: undefined
  'raft-bulk': undefined
  'registry-propose': { reply: unknown }
  'registry-query': { answer: unknown }
  'catalog-propose': { reply: unknown }
  'catalog-query': { answer: unknown }
  'write-shard': { sealed: boolean }
  'read-shard': { cellCount: number }
  'delete-shards': { deleted: number }
  'rebuild-shard': { bytesRead: number }
  'abort-shard': Record<string, never>
  'list-shards': {
    shards: readonly { header: ShardHeader; cells: number; fileBytes: number; sealedMs: number }[]
    truncated: boolean
    /** Where to go on when `truncated`; with a group filter it may lie behind the last shard listed. */
    next?: string
  }
  'sign-journal': { payload: Uint8Array }
}

/**
 * A reply and the body that came with it. The body is the receiver's own: it may keep it, or give its buffer back by
 * `release` after the last look at it, which saves the next body an allocation (see body-pool.ts).
 */
export interface Answer<M extends MessageName> {
  readonly reply: Replies[M]
  readonly body: Buffer | undefined
  readonly release?: (() => void) | undefined
}

/** The caller's side of the network: requests to admitted peers by their id. */
export interface Caller {
  /**
   * Sends a request and waits for its reply.
   *
   * `body`: sent behind the request without being copied; the caller must not change it before the promise settles.
   * Throws ClusterError: PeerUnreachable (at once when the peer is known to be down), Timeout, Overloaded (the peer's
   * queue is full), or what the peer answered.
   */
  call<M extends MessageName>(
    to: string,
    message: M,
    request: Requests[M],
    options?: { timeoutMs?: number; body?: readonly Uint8Array[]; signal?: AbortSignal },
  ): Promise<Answer<M>>
  /** Best effort, ordered per peer, dropped when the peer is down or its queue full. */
  send<M extends 'raft' | 'raft-bulk'>(to: string, message: M, request: Requests[M]): void
}

/**
 * The callee's side: one handler per message; the funnel has checked admission, role and bounds.
 *
 * `timeoutMs`: how long the caller waits, counted from the arrival (0: it did not say). `signal`: aborted when the
 * caller gave up or its connection died; the reply is then dropped. `release`: gives the body's buffer back, see
 * `Answer`.
 * The reply's `body` is sent without being copied: it must not change before `sent` is called (also called when the
 * connection died first).
 */
export type Handler<M extends MessageName> = (
  request: Requests[M],
  context: {
    readonly from: string
    readonly body: Buffer | undefined
    readonly release?: (() => void) | undefined
    readonly timeoutMs: number
    readonly signal: AbortSignal
  },
) => Promise<{ reply: Replies[M]; body?: readonly Uint8Array[]; sent?: () => void }>

export type Handlers = { readonly [M in MessageName]?: Handler<M> }
