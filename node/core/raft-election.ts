/**
 * Who leads: roles, terms, votes, pre-votes (dissertation section 9.6), check-quorum and the leader's lease
 * (6.2 and 4.2.3), leadership transfer (3.10).
 *
 * Invariant: at most one leader per term, because a node votes once per term, durably, before it says so.
 */
import type { VoteReply, VoteRequest } from './raft-messages.ts'
import { Progress } from './raft-progress.ts'
import { failReads } from './raft-reads.ts'
import { appendAsLeader, sendAppend } from './raft-replication.ts'
import type { RaftState, Role } from './raft-state.ts'

/** Draws the next moment at which this node gives up waiting for a leader. */
export function resetElectionDeadline(raft: RaftState): void {
  const { electionTimeoutMinMs, electionTimeoutMaxMs } = raft.limits
  const span = electionTimeoutMaxMs - electionTimeoutMinMs
  raft.electionDeadlineMs = raft.nowMs + electionTimeoutMinMs + raft.random() * span
}

/** Becomes a follower, in a newer term when `term` is newer (then without a vote). */
export function becomeFollower(raft: RaftState, term: number, leaderId: string | undefined): void {
  if (term > raft.term) raft.enterTerm(term, undefined)
  setRole(raft, 'follower', leaderId)
  resetElectionDeadline(raft)
}

/** Notes that the leader of our term was heard. */
export function heardLeader(raft: RaftState, leaderId: string): void {
  if (raft.role !== 'follower' || raft.leaderId !== leaderId) becomeFollower(raft, raft.term, leaderId)
  else resetElectionDeadline(raft)
  raft.leaderContactMs = raft.nowMs
}

/** Asks for pre-votes: would I win? Nobody's term changes before a majority says yes. */
export function startPreVote(raft: RaftState): void {
  resetElectionDeadline(raft)
  if (!raft.promotable) return
  setRole(raft, 'preCandidate', undefined)
  raft.votes.clear()
  requestVotes(raft, { pre: true, transfer: false })
  countVote(raft, { from: raft.nodeId, granted: true })
}

/** Asks for votes in a new term. The own vote counts when it is durable. */
export function startElection(raft: RaftState, options: { transfer: boolean }): void {
  resetElectionDeadline(raft)
  if (!raft.promotable) return
  raft.enterTerm(raft.term + 1, raft.nodeId)
  setRole(raft, 'candidate', undefined)
  raft.votes.clear()
  requestVotes(raft, { pre: false, transfer: options.transfer })
  const own = { type: 'voteReply', from: raft.nodeId, to: raft.nodeId, term: raft.term } as const
  raft.send({ ...own, pre: false, granted: true }, 'term')
}

/**
 * Answers a vote or pre-vote request whose term is ours or newer. The caller has left out requests that a lease
 * protects from (`inLease`) and has entered the newer term of a real request.
 */
export function handleVoteRequest(raft: RaftState, request: VoteRequest): void {
  const free =
    raft.votedFor === request.from ||
    (raft.votedFor === undefined && raft.leaderId === undefined) ||
    (request.pre && request.term > raft.term)
  const granted = free && raft.log.isUpToDate(request.lastIndex, request.lastTerm)
  const reply = { type: 'voteReply', from: raft.nodeId, to: request.from, pre: request.pre, granted } as const
  if (request.pre) {
    raft.send({ ...reply, term: granted ? request.term : raft.term }, 'nothing')
    return
  }
  if (granted) {
    raft.enterTerm(raft.term, request.from)
    resetElectionDeadline(raft)
  }
  raft.send({ ...reply, term: raft.term }, 'term')
}

/** Tells an out-of-date asker of our newer term. */
export function refuseVote(raft: RaftState, request: VoteRequest): void {
  const reply = { type: 'voteReply', from: raft.nodeId, to: request.from, term: raft.term } as const
  raft.send({ ...reply, pre: request.pre, granted: false }, 'term')
}

/** A leader was heard less than the shortest election timeout ago: nobody can have been elected since (4.2.3). */
export function inLease(raft: RaftState): boolean {
  if (raft.role === 'leader') return true
  const silenceMs = raft.nowMs - raft.leaderContactMs
  return raft.leaderId !== undefined && silenceMs < raft.limits.electionTimeoutMinMs
}

export function handleVoteReply(raft: RaftState, reply: VoteReply): void {
  const expected = reply.pre ? raft.role === 'preCandidate' : raft.role === 'candidate'
  const term = reply.pre ? raft.term + 1 : raft.term
  if (!expected || (reply.granted && reply.term !== term)) return
  countVote(raft, reply)
}

/** Leader: steps down unless a majority answered since the last check; followers hold their lease no longer. */
export function checkQuorum(raft: RaftState): void {
  const alive = raft.membership.hasMajority(
    (voter) => voter === raft.nodeId || raft.progress.get(voter)?.recentlyActive === true,
  )
  for (const progress of raft.progress.values()) progress.recentlyActive = false
  raft.quorumCheckDueMs = raft.nowMs + raft.limits.electionTimeoutMinMs
  if (!alive) becomeFollower(raft, raft.term, undefined)
}

/** Leader: stops taking proposals, brings `to` up to date and asks it to campaign; gives up after a timeout. */
export function startTransfer(raft: RaftState, to: string): void {
  const progress = raft.progress.get(to)
  if (raft.role !== 'leader' || progress === undefined || !raft.membership.isVoter(to)) return
  raft.transfer = { to, deadlineMs: raft.nowMs + raft.limits.electionTimeoutMinMs }
  if (!continueTransfer(raft, to)) sendAppend(raft, to, { evenEmpty: false })
}

/** Sends the request to campaign once `from` has our whole log. Returns whether it was sent. */
export function continueTransfer(raft: RaftState, from: string): boolean {
  if (raft.transfer?.to !== from || raft.progress.get(from)?.match !== raft.log.lastIndex) return false
  raft.send({ type: 'timeoutNow', from: raft.nodeId, to: from, term: raft.term }, 'nothing')
  return true
}

function countVote(raft: RaftState, vote: { from: string; granted: boolean }): void {
  if (!raft.votes.has(vote.from)) raft.votes.set(vote.from, vote.granted)
  if (raft.membership.hasMajority((voter) => raft.votes.get(voter) === true)) {
    if (raft.role === 'preCandidate') startElection(raft, { transfer: false })
    else becomeLeader(raft)
  } else if (raft.membership.hasMajority((voter) => raft.votes.get(voter) === false)) {
    becomeFollower(raft, raft.term, undefined)
  }
}

function becomeLeader(raft: RaftState): void {
  setRole(raft, 'leader', raft.nodeId)
  raft.heartbeatDueMs = raft.nowMs + raft.limits.heartbeatMs
  raft.quorumCheckDueMs = raft.nowMs + raft.limits.electionTimeoutMinMs
  raft.uncommittedBytes = 0
  trackMembers(raft)
  // Entries of earlier terms are committed only together with one of ours (section 3.6.2).
  appendAsLeader(raft, [{ kind: 'noop' }])
}

/** Leader: keeps one progress per other member. New members start behind the end and are probed from there. */
export function trackMembers(raft: RaftState): void {
  for (const { nodeId } of raft.membership.members) {
    if (nodeId === raft.nodeId || raft.progress.has(nodeId)) continue
    const progress = new Progress(raft.log.lastIndex + 1)
    // A grace period: the first quorum check is not held against a follower that had no time to answer.
    progress.recentlyActive = true
    raft.progress.set(nodeId, progress)
  }
  for (const nodeId of raft.progress.keys()) {
    if (!raft.membership.isMember(nodeId)) raft.progress.delete(nodeId)
  }
}

function requestVotes(raft: RaftState, options: { pre: boolean; transfer: boolean }): void {
  for (const to of raft.membership.voters) {
    if (to === raft.nodeId) continue
    const { lastIndex, lastTerm } = raft.log
    const term = options.pre ? raft.term + 1 : raft.term
    const request = { type: 'vote', from: raft.nodeId, to, term, lastIndex, lastTerm } as const
    raft.send({ ...request, ...options }, options.pre ? 'nothing' : 'term')
  }
}

function setRole(raft: RaftState, role: Role, leaderId: string | undefined): void {
  if (raft.role === 'leader' && role !== 'leader') failReads(raft)
  if (role !== 'leader') raft.progress.clear()
  raft.transfer = undefined
  raft.role = role
  raft.leaderId = leaderId
  raft.effects.leadershipChanged = true
}
