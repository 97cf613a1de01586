/**
 * The bounds of a replica host. The values and their reasons stand in the process's one `limits.ts`.
 */
import type { RaftLimits } from '../core/raft-config.ts'

export interface ReplicaLimits {
  readonly raft: RaftLimits
  /** How often groups look at the clock; also how long a commit index waits for an append to carry it. */
  readonly tickMs: number
  /** Proposals of one group that wait for a place in the log or for their commit, by number and bytes. */
  readonly proposalsMax: number
  readonly proposalBytesMax: number
  /** Bytes of commands that go into the log with one fsync. */
  readonly proposalBatchBytesMax: number
  /** Reads of one group that wait for a ReadIndex round. */
  readonly readsMax: number
  /** What the log keeps behind the applied index for followers that lag; then they need a snapshot. */
  readonly logEntriesMax: number
  readonly logBytesMax: number
  /**
   * For its readers (journal, transfers of snapshots) the log grows beyond those bounds by this factor. Then a
   * leader takes no proposals until the journal has caught up, and a follower's journal asks its peers.
   */
  readonly logPinnedFactor: number
  /** Entries that are deleted from the log at a time. */
  readonly logTrimEntries: number
  /** Bytes of rows in one chunk of a snapshot. */
  readonly snapshotChunkBytes: number
  /** An unanswered chunk is sent again after this time, */
  readonly snapshotRetryMs: number
  /** and the transfer is given up after so many times. */
  readonly snapshotRetriesMax: number
}
