/**
 * Raft as a pure state machine: `step(raft, event, nowMs) -> effects`.
 *
 * Ongaro's dissertation ("Consensus: Bridging Theory and Practice", Stanford 2014) in the shape of etcd/raft. It
 * owns the rules of elections, replication, reads, membership and snapshots' positions. It has no clock, no
 * randomness beyond its seed, no IO: the host (`services/replica.ts`) writes what `persist` asks for, sends
 * `messages`, applies `committed` and reports back. `test/sim` is the other host.
 *
 * The state is changed in place and belongs to this module; the host only reads it.
 */
import type { RaftConfig, RaftPersisted } from './raft-config.ts'
import {
  becomeFollower,
  checkQuorum,
  handleVoteReply,
  handleVoteRequest,
  heardLeader,
  inLease,
  refuseVote,
  resetElectionDeadline,
  startElection,
  startPreVote,
  startTransfer,
  trackMembers,
} from './raft-election.ts'
import type { LogSource } from './raft-log.ts'
import { isSingleChange } from './raft-membership.ts'
import type { Member, RaftMessage, SnapshotChunk, SnapshotPosition } from './raft-messages.ts'
import { broadcastHeartbeat, finishRound, requestRead } from './raft-reads.ts'
import {
  announceCommits,
  appendAsLeader,
  broadcastAppend,
  collectCommitted,
  commitTo,
  handleAppend,
  handleAppendAccepted,
  handleAppendRejected,
  handleHeartbeat,
  handleHeartbeatReply,
  maybeCommit,
} from './raft-replication.ts'
import { type RaftEffects, RaftState } from './raft-state.ts'

export type RaftEvent =
  | { readonly type: 'message'; readonly message: RaftMessage }
  /** Time passed. Ticks need not be regular; deadlines are absolute. */
  | { readonly type: 'tick' }
  /** Commands to append, all or none. Answered by `effects.proposal`. */
  | { readonly type: 'propose'; readonly commands: readonly Uint8Array[] }
  /** Members to change to. Answered by `effects.proposal`. */
  | { readonly type: 'changeMembers'; readonly members: readonly Member[] }
  /** Answered by `effects.reads` or `effects.failedReads`, now or later. `id` is the host's. */
  | { readonly type: 'read'; readonly id: number }
  | { readonly type: 'transferLeadership'; readonly to: string }
  /** The persist request `sequence` and all before it are durable. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /** Committed entries up to `index` are applied. */
  | { readonly type: 'applied'; readonly index: number }
  /** The log was compacted up to `index`, which is applied. */
  | { readonly type: 'compacted'; readonly index: number }
  /** All chunks of a snapshot are staged and it may be installed. */
  | { readonly type: 'snapshotStaged'; readonly from: string; readonly position: SnapshotPosition }
  /** A transfer to a follower ended; `index` is what it brought the follower to, undefined when it failed. */
  | { readonly type: 'snapshotSent'; readonly to: string; readonly index: number | undefined }

/**
 * A replica as it comes back from its store (or a new one).
 *
 * @param source reads back entries that the core no longer holds in memory
 * @param nowMs the clock that every later step continues, monotonic
 */
export function createRaft(
  config: RaftConfig,
  persisted: RaftPersisted,
  source: LogSource,
  nowMs: number,
): RaftState {
  const raft = new RaftState(config, persisted, source, nowMs)
  resetElectionDeadline(raft)
  return raft
}

/**
 * Takes one event and returns everything that has to be done about it.
 *
 * @param nowMs monotonic; a clock that stands still or runs at another speed costs liveness, never safety
 */
export function step(raft: RaftState, event: RaftEvent, nowMs: number): RaftEffects {
  raft.nowMs = Math.max(raft.nowMs, nowMs)
  handle(raft, event)
  collectCommitted(raft)
  return raft.takeEffects()
}

function handle(raft: RaftState, event: RaftEvent): void {
  switch (event.type) {
    case 'message':
      receive(raft, event.message)
      break
    case 'tick':
      tick(raft)
      break
    case 'propose':
      propose(raft, event.commands)
      break
    case 'changeMembers':
      changeMembers(raft, event.members)
      break
    case 'read':
      requestRead(raft, event.id)
      break
    case 'transferLeadership':
      startTransfer(raft, event.to)
      break
    case 'persisted':
      for (const message of raft.persisted(event.sequence)) receive(raft, message)
      maybeCommit(raft)
      break
    case 'applied':
      applied(raft, event.index)
      break
    case 'compacted':
      raft.log.compact(event.index)
      break
    case 'snapshotStaged':
      raft.staged = { from: event.from, position: event.position }
      installStaged(raft)
      break
    case 'snapshotSent':
      snapshotSent(raft, event)
      break
  }
}

function tick(raft: RaftState): void {
  if (raft.role !== 'leader') {
    if (raft.nowMs >= raft.electionDeadlineMs) startPreVote(raft)
    return
  }
  if (raft.nowMs >= raft.quorumCheckDueMs) checkQuorum(raft)
  if (raft.transfer !== undefined && raft.nowMs >= raft.transfer.deadlineMs) raft.transfer = undefined
  if (raft.nowMs >= raft.heartbeatDueMs) broadcastHeartbeat(raft)
  announceCommits(raft)
}

/** Sorts a message by its term (section 3.3), then by its kind. */
function receive(raft: RaftState, message: RaftMessage): void {
  if (message.to !== raft.nodeId) return
  if (message.term > raft.term) {
    if (!admitNewerTerm(raft, message)) return
  } else if (message.term < raft.term) {
    answerOlderTerm(raft, message)
    return
  }
  dispatch(raft, message)
}

/** Returns whether the message is to be handled. */
function admitNewerTerm(raft: RaftState, message: RaftMessage): boolean {
  if (message.type === 'vote') {
    // A node that was cut off or removed must not depose a leader that the others still hear (4.2.3).
    if (inLease(raft) && !message.transfer) return false
    if (!message.pre) becomeFollower(raft, message.term, undefined)
    return true
  }
  if (message.type === 'voteReply' && message.pre && message.granted) return true
  const fromLeader = message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot'
  becomeFollower(raft, message.term, fromLeader ? message.from : undefined)
  return true
}

function answerOlderTerm(raft: RaftState, message: RaftMessage): void {
  const { type, from } = message
  if (type === 'vote') refuseVote(raft, message)
  else if (type === 'append' || type === 'heartbeat' || type === 'snapshot') {
    // Our term is newer because we campaigned while cut off: the leader has to learn of it, or we stay out for good.
    raft.send({ type: 'heartbeatReply', from: raft.nodeId, to: from, term: raft.term, round: 0 }, 'term')
  }
}

function dispatch(raft: RaftState, message: RaftMessage): void {
  switch (message.type) {
    case 'vote':
      handleVoteRequest(raft, message)
      break
    case 'voteReply':
      handleVoteReply(raft, message)
      break
    case 'append':
      handleAppend(raft, message)
      break
    case 'appendAccepted':
      handleAppendAccepted(raft, message)
      break
    case 'appendRejected':
      handleAppendRejected(raft, message)
      break
    case 'heartbeat':
      handleHeartbeat(raft, message)
      break
    case 'heartbeatReply':
      handleHeartbeatReply(raft, message)
      break
    case 'timeoutNow':
      if (raft.role === 'follower') startElection(raft, { transfer: true })
      break
    case 'snapshot':
      handleSnapshotChunk(raft, message)
      break
    case 'snapshotReply': {
      const progress = raft.progress.get(message.from)
      if (progress === undefined) break
      progress.recentlyActive = true
      raft.effects.snapshotReplies.push(message)
      break
    }
  }
}

function propose(raft: RaftState, commands: readonly Uint8Array[]): void {
  const refused =
    raft.role !== 'leader'
      ? 'notLeader'
      : raft.transfer !== undefined
        ? 'transferring'
        : raft.uncommittedBytes >= raft.limits.uncommittedBytesMax
          ? 'overloaded'
          : undefined
  if (refused !== undefined) {
    raft.effects.proposal = { refused }
    return
  }
  const firstIndex = appendAsLeader(
    raft,
    commands.map((data) => ({ kind: 'command', data })),
  )
  raft.effects.proposal = { firstIndex, term: raft.term }
}

/** Rules of section 4.1: one change at a time, one voter at a time, and a learner catches up before it votes. */
function changeMembers(raft: RaftState, members: readonly Member[]): void {
  const { log, membership } = raft
  const pending = membership.index > log.committed || !log.matches(log.committed, raft.term)
  const behind = members.some(({ nodeId, learner }) => {
    if (learner || membership.isVoter(nodeId)) return false
    return log.lastIndex - (raft.progress.get(nodeId)?.match ?? 0) > raft.limits.promotionLagMax
  })
  const refused =
    raft.role !== 'leader'
      ? 'notLeader'
      : raft.transfer !== undefined
        ? 'transferring'
        : pending
          ? 'changePending'
          : !isSingleChange(membership.members, members)
            ? 'notSingleChange'
            : behind
              ? 'learnerBehind'
              : undefined
  if (refused !== undefined) {
    raft.effects.proposal = { refused }
    return
  }
  const firstIndex = appendAsLeader(raft, [{ kind: 'members', members }])
  trackMembers(raft)
  broadcastAppend(raft)
  // Without the removed voter, less may be a majority.
  maybeCommit(raft)
  finishRound(raft)
  raft.effects.proposal = { firstIndex, term: raft.term }
}

function applied(raft: RaftState, index: number): void {
  const { log } = raft
  if (index > log.applying) throw new Error(`raft: applied ${index}, handed out ${log.applying}`)
  log.applied = Math.max(log.applied, index)
  raft.membership.compact(log.applied)
  installStaged(raft)
  log.trimTail(raft.limits.tailBytesMax)
}

function handleSnapshotChunk(raft: RaftState, chunk: SnapshotChunk): void {
  heardLeader(raft, chunk.from)
  if (isCovered(raft, chunk.position)) {
    const reply = { from: raft.nodeId, to: chunk.from, term: raft.term } as const
    raft.send({ type: 'appendAccepted', ...reply, match: raft.log.committed }, 'log')
    return
  }
  raft.effects.stage = chunk
}

/**
 * Whether our log has what the snapshot stands for. Then nothing may be replaced: entries behind the snapshot may
 * be acknowledged already (section 5.1: "retain the log entries following it"). What the snapshot holds is committed.
 */
function isCovered(raft: RaftState, position: SnapshotPosition): boolean {
  if (position.index <= raft.log.committed) return true
  if (!raft.log.matches(position.index, position.term)) return false
  commitTo(raft, position.index)
  return true
}

/**
 * Follower: the staged state replaces rows and log in one write, unless the log got there by itself meanwhile. Waits
 * for the batch that is being applied, because that goes into the rows to be replaced.
 */
function installStaged(raft: RaftState): void {
  const { log, staged } = raft
  if (staged === undefined || log.applying > log.applied) return
  raft.staged = undefined
  if (!isCovered(raft, staged.position)) raft.installSnapshot(staged.position)
  const reply = { from: raft.nodeId, to: staged.from, term: raft.term } as const
  raft.send({ type: 'appendAccepted', ...reply, match: log.committed }, 'log')
}

function snapshotSent(raft: RaftState, event: { to: string; index: number | undefined }): void {
  const progress = raft.progress.get(event.to)
  if (progress === undefined || progress.state !== 'snapshot') return
  if (event.index !== undefined) progress.pendingSnapshot = event.index
  progress.becomeProbe()
}
