/**
 * What a Raft replica is told when it starts: who it is, its bounds, and what it had made durable before.
 */
import type { HardState, Member } from './raft-messages.ts'

/** Every time and bound of the core. The values live in the process's one `limits.ts`. */
export interface RaftLimits {
  /** A follower that hears nothing from a leader for a random time in [min, max) ms asks for votes. */
  readonly electionTimeoutMinMs: number
  readonly electionTimeoutMaxMs: number
  readonly heartbeatMs: number
  /** Bytes of entries in one append message. */
  readonly appendBytesMax: number
  /** Appends on their way to one follower, by number and by bytes. */
  readonly inflightAppendsMax: number
  readonly inflightBytesMax: number
  /** Bytes of entries that a leader accepts beyond what is committed. */
  readonly uncommittedBytesMax: number
  /** Bytes of committed entries given to the host for applying at a time. */
  readonly applyBytesMax: number
  /** Bytes of entries kept in memory for followers that are nearly up to date. */
  readonly tailBytesMax: number
  /** Entries that a learner may lack when it is made a voter. */
  readonly promotionLagMax: number
}

export interface RaftConfig {
  readonly nodeId: string
  /** Seeds the randomised election timeouts; different on every replica. */
  readonly seed: number
  readonly limits: RaftLimits
}

/** The durable state of a replica at start. A new group has term 0, an empty log and its first members. */
export interface RaftPersisted {
  readonly hardState: HardState
  /** The position before the first entry in `entries`. */
  readonly base: { readonly index: number; readonly term: number }
  readonly appliedIndex: number
  /** Members in effect at `appliedIndex`. */
  readonly members: readonly Member[]
  /** Every retained entry from base.index + 1 on, in order; `members` of those that change them. */
  readonly entries: Iterable<{
    readonly index: number
    readonly term: number
    readonly members?: readonly Member[]
  }>
}
