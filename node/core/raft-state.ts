/**
 * One replica's Raft state, the effects that a step collects, and the rule of what has to be durable before it
 * is said.
 *
 * Invariant: a message in `effects.messages` may be sent at once. Messages that promise something (a vote, an
 * acknowledged entry, a term) are held here until the host has reported the write that they rest on as durable
 * (`persisted`). So a host cannot get this order wrong.
 */
import type { RaftConfig, RaftPersisted } from './raft-config.ts'
import { type LogSource, RaftLog } from './raft-log.ts'
import { Membership } from './raft-membership.ts'
import type { Entry, HardState, RaftMessage, SnapshotChunk, SnapshotPosition } from './raft-messages.ts'
import type { Progress } from './raft-progress.ts'

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/**
 * One atomic write. The host makes writes durable in the order of `sequence` and then reports `persisted`.
 * Order inside: install the snapshot (drops the whole log), delete the range, put the entries, put the state.
 */
export interface PersistRequest {
  readonly sequence: number
  readonly hardState: HardState | undefined
  /** The staged snapshot that replaces rows and log. */
  readonly snapshot: SnapshotPosition | undefined
  /** Entries of an older term that are no longer in the log: [from, to). */
  readonly remove: { readonly from: number; readonly to: number } | undefined
  readonly entries: readonly Entry[]
}

/** Why a proposal or a change of members was not taken into the log. */
export type Refusal =
  | 'notLeader'
  | 'transferring'
  | 'overloaded'
  | 'changePending'
  | 'notSingleChange'
  | 'learnerBehind'

/** What the host has to do after a step, besides nothing. Fields are empty or undefined far more often than not. */
export interface RaftEffects {
  /** Safe to send now, in this order per peer; losing some is allowed. */
  messages: RaftMessage[]
  persist: PersistRequest | undefined
  /** Committed entries to apply, in order, after all earlier ones; the next come after `applied`. */
  committed: readonly Entry[]
  /** Reads that are linearizable once `index` is applied here. */
  reads: { readonly ids: readonly number[]; readonly index: number }[]
  /** Reads that this node cannot answer: not the leader, or no longer. */
  failedReads: number[]
  /** Set by `propose` and `changeMembers`. */
  proposal: { readonly firstIndex: number; readonly term: number } | { readonly refused: Refusal } | undefined
  /** Peers that are behind the log: build a snapshot, send it, report `snapshotSent`. */
  snapshotsTo: string[]
  /** A chunk of a snapshot that the leader of our term sends: stage it and answer it. */
  stage: SnapshotChunk | undefined
  /** A follower's answer to a chunk. */
  snapshotReplies: { readonly from: string; readonly transferId: string; readonly nextChunk: number }[]
  /** Role, term or leader changed. */
  leadershipChanged: boolean
}

interface HeldMessage {
  readonly sequence: number
  readonly message: RaftMessage
}

interface InflightPersist {
  readonly sequence: number
  readonly hardState: boolean
  lastIndex: number
}

/** On what a message rests: nothing, our term and vote, or our term, vote and log. */
export type RestsOn = 'nothing' | 'term' | 'log'

export class RaftState {
  readonly config: RaftConfig
  readonly log: RaftLog
  readonly membership: Membership
  term: number
  votedFor: string | undefined
  role: Role = 'follower'
  leaderId: string | undefined = undefined
  nowMs: number
  electionDeadlineMs = 0
  leaderContactMs = Number.NEGATIVE_INFINITY
  heartbeatDueMs = 0
  quorumCheckDueMs = 0
  readonly votes = new Map<string, boolean>()
  /** Leader only: every other member. */
  readonly progress = new Map<string, Progress>()
  /** Leader only: bytes of entries that are not committed. */
  uncommittedBytes = 0
  transfer: { readonly to: string; readonly deadlineMs: number } | undefined = undefined
  /** Leader only: ReadIndex, see raft-reads.ts. */
  readonly reads = {
    waiting: [] as number[],
    round: 0,
    confirming: undefined as { round: number; index: number; ids: number[] } | undefined,
  }
  /** A whole snapshot that waits for the batch of entries that is being applied. */
  staged: { readonly from: string; readonly position: SnapshotPosition } | undefined = undefined
  effects: RaftEffects = emptyEffects()

  #random: number
  #sequence = 0
  #inflight: InflightPersist[] = []
  #held: HeldMessage[] = []
  #unsent: { message: RaftMessage; restsOn: RestsOn }[] = []
  #hardStateDirty = false
  #newEntries: Entry[] = []
  #snapshot: SnapshotPosition | undefined = undefined
  /** End of the log as the store will have it once everything requested is durable. */
  #storedLast: number
  #removeFrom: number | undefined = undefined

  constructor(config: RaftConfig, persisted: RaftPersisted, source: LogSource, nowMs: number) {
    this.config = config
    this.term = persisted.hardState.term
    this.votedFor = persisted.hardState.votedFor
    this.log = new RaftLog(persisted.base, source)
    this.membership = new Membership({ index: persisted.appliedIndex, members: persisted.members })
    for (const entry of persisted.entries) {
      this.log.restore(entry)
      if (entry.members !== undefined && entry.index > persisted.appliedIndex) {
        this.membership.append({ index: entry.index, members: entry.members })
      }
    }
    this.log.committed = persisted.appliedIndex
    this.log.applying = persisted.appliedIndex
    this.log.applied = persisted.appliedIndex
    this.#storedLast = this.log.lastIndex
    this.#random = config.seed >>> 0
    this.nowMs = nowMs
  }

  get limits(): RaftConfig['limits'] {
    return this.config.limits
  }

  get nodeId(): string {
    return this.config.nodeId
  }

  /** May this node campaign? Learners and nodes whose removal is committed may not. */
  get promotable(): boolean {
    return this.membership.mayLead(this.nodeId, this.log.committed)
  }

  /** Mulberry32: seeded, so that a run of the simulator can be repeated. */
  random(): number {
    this.#random = (this.#random + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** Enters a newer term; the vote of the older one is void, and so is everything that was to be said in it. */
  enterTerm(term: number, votedFor: string | undefined): void {
    if (term > this.term) this.#held = []
    this.term = term
    this.votedFor = votedFor
    this.#hardStateDirty = true
  }

  appendEntries(entries: readonly Entry[]): void {
    this.log.append(entries)
    for (const entry of entries) {
      this.#newEntries.push(entry)
      if (entry.kind === 'members') this.membership.append({ index: entry.index, members: entry.members })
    }
  }

  truncateLog(from: number): void {
    this.log.truncate(from)
    this.membership.truncate(from)
    this.#newEntries = this.#newEntries.filter((entry) => entry.index < from)
    if (from <= this.#storedLast) this.#removeFrom = Math.min(this.#removeFrom ?? from, from)
    for (const write of this.#inflight) write.lastIndex = Math.min(write.lastIndex, from - 1)
  }

  installSnapshot(position: SnapshotPosition): void {
    this.log.reset(position)
    this.membership.reset({ index: position.index, members: position.members })
    this.#snapshot = position
    this.#newEntries = []
    this.#removeFrom = undefined
    this.#storedLast = position.index
    for (const write of this.#inflight) write.lastIndex = 0
  }

  /** Says `message` as soon as what it rests on is durable. */
  send(message: RaftMessage, restsOn: RestsOn): void {
    this.#unsent.push({ message, restsOn })
  }

  /** Closes a step: one persist request for all that changed, messages released or held. */
  takeEffects(): RaftEffects {
    const write = this.#takeWrite()
    const effects = this.effects
    if (write !== undefined) effects.persist = write
    const termSequence = this.#inflight.findLast((one) => one.hardState)?.sequence
    const logSequence = this.#inflight.at(-1)?.sequence
    for (const { message, restsOn } of this.#unsent) {
      const sequence = restsOn === 'nothing' ? undefined : restsOn === 'term' ? termSequence : logSequence
      if (sequence === undefined) effects.messages.push(message)
      else this.#held.push({ sequence, message })
    }
    this.#unsent = []
    this.effects = emptyEffects()
    return effects
  }

  /**
   * The write `sequence` and all before it are durable. Releases what rested on them; a vote for ourselves
   * comes back as the return value, everything else goes to the effects.
   */
  persisted(sequence: number): readonly RaftMessage[] {
    while ((this.#inflight[0]?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) {
      const write = this.#inflight.shift()
      if (write !== undefined) this.log.durable = Math.max(this.log.durable, write.lastIndex)
    }
    const toSelf: RaftMessage[] = []
    const later: HeldMessage[] = []
    for (const held of this.#held) {
      if (held.sequence > sequence) later.push(held)
      else if (held.message.to === this.nodeId) toSelf.push(held.message)
      else this.effects.messages.push(held.message)
    }
    this.#held = later
    return toSelf
  }

  #takeWrite(): PersistRequest | undefined {
    const changed =
      this.#hardStateDirty ||
      this.#newEntries.length > 0 ||
      this.#snapshot !== undefined ||
      this.#removeFrom !== undefined
    if (!changed) return undefined
    this.#sequence += 1
    const remove = this.#removeFrom
    const write: PersistRequest = {
      sequence: this.#sequence,
      hardState: this.#hardStateDirty ? { term: this.term, votedFor: this.votedFor } : undefined,
      snapshot: this.#snapshot,
      remove: remove === undefined ? undefined : { from: remove, to: this.#storedLast + 1 },
      entries: this.#newEntries,
    }
    this.#inflight.push({
      sequence: this.#sequence,
      hardState: this.#hardStateDirty,
      lastIndex: this.log.lastIndex,
    })
    this.#storedLast = this.log.lastIndex
    this.#hardStateDirty = false
    this.#newEntries = []
    this.#snapshot = undefined
    this.#removeFrom = undefined
    return write
  }
}

function emptyEffects(): RaftEffects {
  return {
    messages: [],
    persist: undefined,
    committed: [],
    reads: [],
    failedReads: [],
    proposal: undefined,
    snapshotsTo: [],
    stage: undefined,
    snapshotReplies: [],
    leadershipChanged: false,
  }
}
