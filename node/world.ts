/**
 * The world as the services see it: clock, randomness, rows, network.
 *
 * `io/` implements these interfaces for real machines, `test/sim` for seeded simulation.
 * Nothing here knows Raft, shards or S3.
 */
import type { Row, RowMutation, RowRange } from './core/rows.ts'

export type { Row, RowMutation, RowRange } from './core/rows.ts'

/** Monotonic and wall time. Pure cores never see this: they get `nowMs` as an argument. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; for timeouts and intervals. */
  monotonicMs(): number
  /** Wall-clock milliseconds since the Unix epoch; for records that people read. */
  wallMs(): number
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void
}

/** Uniform random numbers; cryptographic in production, seeded in the simulator. */
export interface Random {
  /** A float in [0, 1). */
  float(): number
  /** `count` random bytes as lower-case hex. */
  hex(count: number): string
}

/** A consistent view of rows, closed by its owner. */
export interface RowSnapshot {
  scan(range: RowRange): AsyncIterable<Row>
  close(): Promise<void>
}

/**
 * Ordered rows on one machine. One store per node, shared by all groups, so that one fsync
 * makes the writes of many groups durable (group commit).
 */
export interface RowStore {
  getSync(key: string): Uint8Array | undefined
  scan(range: RowRange): AsyncIterable<Row>
  snapshot(): RowSnapshot
  /**
   * Applies all mutations atomically. Resolves when they are durable (`durable: true`: after fsync, group
   * committed with other callers) or visible (`durable: false`; they become durable with any later durable write,
   * in order). A failed fsync rejects every later write: the process must stop.
   */
  write(mutations: readonly RowMutation[], options: { durable: boolean }): Promise<void>
  close(): Promise<void>
}

/** Identifies a node or gateway in the registry, for example `by-1`; also the name in metrics and logs. */
export type NodeId = string

/** Liveness and address of a peer as this process sees it, never agreed on. */
export interface PeerState {
  readonly nodeId: NodeId
  readonly up: boolean
  /** Smoothed round-trip time in ms; undefined until measured. */
  readonly rttMs: number | undefined
  /** How far the peer's wall clock is ahead of ours, in ms; undefined or absent until measured. */
  readonly clockOffsetMs?: number | undefined
}

/**
 * The owner's key store: its own key and keys by name. `context` binds a wrapped secret to its use, e.g. `bucket/<id>`.
 * `keyName`: one of the named keys; absent: the owner's own. Fits a file, PKCS#11 (label of a key) and a Transit-style
 * HTTP service (key of a mount). Errors of both: KmsKeyNotFound (details: keyId), KmsUnavailable.
 */
export interface Kms {
  wrap(secret: Uint8Array, context: string, keyName?: string): Promise<Uint8Array>
  /** DecryptionFailed when key, context or bytes are not those it was wrapped with. */
  unwrap(envelope: Uint8Array, context: string, keyName?: string): Promise<Buffer>
}
