/**
 * The bounds of a storage node that span its services, with their reasons. Bounds of one service stand at its top.
 */
import type { LevelStoreLimits } from './io/level-store.ts'
import type { ReplicaLimits } from './services/replica-limits.ts'

const MiB = 1024 * 1024

export const replicaLimits: ReplicaLimits = {
  raft: {
    /** Writes go on within 5 s of a site's loss: noticing (1-2 s), voting and the router's next attempt fit in it. */
    electionTimeoutMinMs: 1_000,
    electionTimeoutMaxMs: 2_000,
    heartbeatMs: 250,
    appendBytesMax: 1 * MiB,
    inflightAppendsMax: 64,
    inflightBytesMax: 8 * MiB,
    uncommittedBytesMax: 64 * MiB,
    applyBytesMax: 4 * MiB,
    tailBytesMax: 16 * MiB,
    promotionLagMax: 1_000,
  },
  tickMs: 50,
  proposalsMax: 10_000,
  proposalBytesMax: 128 * MiB,
  proposalBatchBytesMax: 4 * MiB,
  readsMax: 20_000,
  /** A follower that was away for minutes catches up from the log, longer from a snapshot. */
  logEntriesMax: 10_000,
  logBytesMax: 64 * MiB,
  logPinnedFactor: 4,
  logTrimEntries: 512,
  snapshotChunkBytes: 1 * MiB,
  snapshotRetryMs: 2_000,
  snapshotRetriesMax: 30,
}

export const storeLimits: LevelStoreLimits = {
  /** Above what all groups of a node may have uncommitted; beyond it something is wrong with the disk. */
  queuedBytesMax: 512 * MiB,
  lazyWriteMs: 50,
  writeBufferBytes: 32 * MiB,
  cacheBytes: 64 * MiB,
  scanAheadBytes: 1 * MiB,
}

/** Between a new entry and the round that co-signs it: many entries share a block, and an auditor sees it soon. */
export const journalIntervalMs = 100
