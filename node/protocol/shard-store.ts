/**
 * The shards on one node, as the services see them: files in earnest (io/shard-files.ts), memory in simulations.
 *
 * Invariant: a shard that `seal` acknowledged is durable and whole; one that was not is invisible. Two incarnations
 * of a shard on one node never have the same `sealedMs`, so a deletion that names one cannot hit its successor.
 */
import type { ShardHeader } from './messages.ts'

export interface ShardKey {
  readonly blobId: string
  readonly shardIndex: number
}

/** What a node knows of a shard that it holds. */
export interface SealedShard {
  readonly header: ShardHeader
  readonly cells: number
  readonly lastCellBytes: number
  readonly fileBytes: number
  /** Wall-clock ms; names this incarnation of the shard on this node. */
  readonly sealedMs: number
}

/** `frames` is the caller's own; `release`, optional, gives its buffer back after the last look at it. */
export interface CellRead {
  readonly cellCount: number
  readonly frames: Buffer
  readonly release: () => void
}

export interface QuarantinedShard {
  readonly key: ShardKey
  readonly shard: SealedShard | undefined
}

export interface ShardUsage {
  /** Free bytes for shards: what the disk has beyond the reserve; never negative. */
  readonly freeBytes: number
  readonly openShards: number
}

/** All methods throw ClusterError; `Internal` when the disk failed in a way that is not listed. */
export interface ShardStore {
  /**
   * Verifies and appends framed cells; `frames` may be reused when the promise settles. `firstCell` 0 begins the
   * shard (anew, if it was open). BadMessage: not the next cell, or a bound broken. ShardCorrupt (details.cell):
   * a checksum is wrong, nothing was written. GenerationMismatch: a newer generation is open or sealed here.
   * NoSpace: the disk has reached its reserve; the open shard is gone. Overloaded: too many open shards.
   */
  append(header: ShardHeader, firstCell: number, cellCount: number, frames: Buffer): Promise<void>
  /** Makes the open shard durable and visible, in place of an older one. ShardNotFound: it is not open. */
  seal(header: ShardHeader): Promise<SealedShard>
  /** Forgets the open shard and its bytes; no error when there is none. */
  abort(key: ShardKey): Promise<void>
  /** Aborts open shards that nobody has appended to for the idle time; returns how many. */
  abortIdle(): Promise<number>
  /** ShardNotFound: no such shard, or it is quarantined. ShardCorrupt: header or footer is bad. */
  find(key: ShardKey): Promise<SealedShard>
  /**
   * Verified frames of up to `cellCount` cells from `firstCell` on; fewer at the shard's end. Quarantined shards are
   * read too: their good cells may be the last ones. ShardNotFound, GenerationMismatch, ShardCorrupt (details.cell),
   * BadMessage (no such cell).
   */
  read(
    key: ShardKey & { readonly generation: number },
    firstCell: number,
    cellCount: number,
  ): Promise<CellRead>
  /**
   * Removes the shard and its quarantined copy, and makes that durable; false: there was none. With `sealedMs`:
   * only that incarnation, and only if it has not been replaced.
   */
  remove(key: ShardKey, onlySealedMs?: number): Promise<boolean>
  /** Reads all of the shard from the disk; `pace` delays before each run. ShardNotFound, ShardCorrupt (details.region, cell). */
  verify(key: ShardKey, pace: (bytes: number) => Promise<void>): Promise<SealedShard>
  /**
   * Sets a corrupt shard aside: no longer listed or found, still read. Only the incarnation named, or one whose
   * header or footer is unreadable; false: there was none such.
   */
  quarantine(key: ShardKey, onlySealedMs?: number): Promise<boolean>
  /** Removes the quarantined copy, and nothing else; no error when there is none. */
  dropQuarantined(key: ShardKey): Promise<void>
  /** What was set aside and not yet replaced or removed; `shard` undefined: unreadable. */
  quarantined(): Promise<readonly QuarantinedShard[]>
  /**
   * Sealed shards behind `after` in the order of `shardName`, at most `limit`, none behind `until`. Those whose ends
   * are unreadable come as keys. `next`: where to go on; undefined: that was the last.
   */
  list(
    after: string,
    limit: number,
    until?: string,
  ): Promise<{ shards: readonly SealedShard[]; unreadable: readonly ShardKey[]; next: string | undefined }>
  usage(): Promise<ShardUsage>
  close(): Promise<void>
}

/** Names a shard in listings and files: `<blobId>.<index, 3 digits>`; listings are in the order of these strings. */
export function shardName(key: ShardKey): string {
  return `${key.blobId}.${String(key.shardIndex).padStart(3, '0')}`
}

/** The key that `shardName` made this of; undefined for any other string. */
export function parseShardName(name: string): ShardKey | undefined {
  const match = /^([0-9a-f]{8,128})\.([0-9]{3})$/.exec(name)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  return { blobId: match[1], shardIndex: Number(match[2]) }
}
