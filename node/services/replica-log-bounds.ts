/**
 * How much of its log a replica keeps behind the applied index: enough for followers that lag a little, for the
 * journal, and for followers that are receiving a snapshot; never without bound.
 */
import type { ReplicaLimits } from './replica-limits.ts'
import type { GroupStorage } from './replica-storage.ts'

/** The log is cut back when it is over its bytes by this factor, so that it is not cut for every entry. */
const bytesSlack = 1.1

export interface LogReaders {
  /** First entry that the journal has not taken; Infinity when there is no journal. */
  readonly journalFrom: number
  /** Positions of the snapshots that are on their way. */
  readonly transfers: readonly number[]
  readonly leads: boolean
}

/**
 * The first index to keep, or undefined when the log is within its bounds.
 *
 * A leader never drops what its journal has not taken: it stops taking proposals instead (`journalLags`). A follower
 * does at `logPinnedFactor` times the bounds, because it cannot slow the leader down; its journal asks its peers.
 */
export function firstToKeep(
  storage: GroupStorage,
  limits: ReplicaLimits,
  { journalFrom, transfers, leads }: LogReaders,
): number | undefined {
  const { logEntriesMax, logBytesMax, logPinnedFactor, logTrimEntries } = limits
  const { entries, bytes } = storage.logSize
  if (entries < logEntriesMax + logTrimEntries && bytes < logBytesMax * bytesSlack) return undefined
  const wanted = storage.firstWithin({ entries: logEntriesMax, bytes: logBytesMax })
  const forced = storage.firstWithin({
    entries: logEntriesMax * logPinnedFactor,
    bytes: logBytesMax * logPinnedFactor,
  })
  const journal = leads ? journalFrom : Math.max(journalFrom, forced)
  return Math.min(wanted, journal, Math.max(forced, Math.min(...transfers)))
}

/** Whether the journal is so far behind that more entries would grow the log without bound. */
export function journalLags(storage: GroupStorage, limits: ReplicaLimits, journalFrom: number): boolean {
  const { logEntriesMax, logBytesMax, logPinnedFactor } = limits
  const { entries, bytes } = storage.logSize
  const over = entries >= logEntriesMax * logPinnedFactor || bytes >= logBytesMax * logPinnedFactor
  return over && journalFrom <= storage.firstIndex + logEntriesMax
}
