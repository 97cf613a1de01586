/**
 * The nouns of Raft that leave the core: members, log entries, messages between peers, hard state.
 *
 * All of them are plain data. How they become bytes is decided in `services/replica-codec.ts`; field meanings
 * follow Ongaro's dissertation ("Consensus: Bridging Theory and Practice", 2014), names follow etcd/raft where
 * both have one.
 */

/** A member of a group. Learners receive the log but neither vote nor count towards a majority (section 4.2.1). */
export interface Member {
  readonly nodeId: string
  readonly learner: boolean
}

interface EntryPosition {
  readonly index: number
  readonly term: number
}

/** The proposer's bytes; the core never looks inside. */
export interface CommandEntry extends EntryPosition {
  readonly kind: 'command'
  readonly data: Uint8Array
}

/** Appended by every new leader so that it learns what is committed (section 3.6.2 and 6.4). */
export interface NoopEntry extends EntryPosition {
  readonly kind: 'noop'
}

/** The members of the group from this index on: in effect as soon as it is in the log (section 4.1). */
export interface MembersEntry extends EntryPosition {
  readonly kind: 'members'
  readonly members: readonly Member[]
}

export type Entry = CommandEntry | NoopEntry | MembersEntry

/** Bookkeeping bytes that an entry costs beside its data: headers on the wire, on disk and in memory. */
const entryOverheadBytes = 64

/** Size of an entry for every byte bound of the core. */
export function entryBytes(entry: Entry): number {
  return entryOverheadBytes + (entry.kind === 'command' ? entry.data.byteLength : 0)
}

/** What must survive a crash before a node speaks in a term (figure 3.1, persistent state). */
export interface HardState {
  readonly term: number
  readonly votedFor: string | undefined
}

/** The state that a snapshot replaces the log with. */
export interface SnapshotPosition {
  readonly index: number
  readonly term: number
  /** Members in effect at `index`. */
  readonly members: readonly Member[]
}

interface Envelope {
  readonly from: string
  readonly to: string
  /** The sender's term; for pre-vote requests and granted pre-votes the term of the campaign to come. */
  readonly term: number
}

/** RequestVote (section 3.4); `pre`: would you vote for me (section 9.6); `transfer`: the leader asked me to (3.10). */
export interface VoteRequest extends Envelope {
  readonly type: 'vote'
  readonly pre: boolean
  readonly transfer: boolean
  readonly lastIndex: number
  readonly lastTerm: number
}

export interface VoteReply extends Envelope {
  readonly type: 'voteReply'
  readonly pre: boolean
  readonly granted: boolean
}

/** AppendEntries (section 3.5). */
export interface Append extends Envelope {
  readonly type: 'append'
  readonly prevIndex: number
  readonly prevTerm: number
  readonly entries: readonly Entry[]
  readonly commit: number
}

/** The follower's log equals the leader's up to `match`, durably. */
export interface AppendAccepted extends Envelope {
  readonly type: 'appendAccepted'
  readonly match: number
}

/**
 * The follower lacks the entry before the append at `prevIndex`. It may equal the leader's log at most up to
 * `hintIndex`, where its own term is `hintTerm` (section 5.3's faster backtracking, as in etcd).
 */
export interface AppendRejected extends Envelope {
  readonly type: 'appendRejected'
  readonly prevIndex: number
  readonly hintIndex: number
  readonly hintTerm: number
}

/** `round` numbers the leader's confirmations of its leadership for ReadIndex (section 6.4). */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat'
  readonly commit: number
  readonly round: number
}

export interface HeartbeatReply extends Envelope {
  readonly type: 'heartbeatReply'
  readonly round: number
}

/** Start an election now (section 3.10). */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeoutNow'
}

/** One bounded piece of a snapshot; `rows` belong to the host, the core looks at terms and positions only. */
export interface SnapshotChunk extends Envelope {
  readonly type: 'snapshot'
  readonly position: SnapshotPosition
  /** Names the attempt: a follower that restarted or a sender that began anew never mixes two attempts. */
  readonly transferId: string
  /** Counts from 0; the next one is sent when this one was answered. */
  readonly chunk: number
  readonly last: boolean
  readonly rows: readonly { readonly key: string; readonly value: Uint8Array }[]
}

export interface SnapshotReply extends Envelope {
  readonly type: 'snapshotReply'
  readonly transferId: string
  /** The chunk that the follower wants next; 0 asks to begin anew. */
  readonly nextChunk: number
}

export type RaftMessage =
  | VoteRequest
  | VoteReply
  | Append
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatReply
  | TimeoutNow
  | SnapshotChunk
  | SnapshotReply
