/**
 * How entries travel and when they are committed (dissertation sections 3.5, 3.6 and 10.2).
 *
 * The leader sends entries while its own disk still writes them and counts itself only when they are durable
 * (10.2.1). An entry is committed when a majority has it durably and it is of the leader's own term (3.6.2).
 */
import { becomeFollower, continueTransfer, heardLeader } from './raft-election.ts'
import {
  type Append,
  type AppendAccepted,
  type AppendRejected,
  type Entry,
  entryBytes,
  type Heartbeat,
  type HeartbeatReply,
  type Member,
} from './raft-messages.ts'
import { finishRound, startRound } from './raft-reads.ts'
import type { RaftState } from './raft-state.ts'

/** What becomes an entry once the leader has given it a place. */
export type Draft =
  | { readonly kind: 'command'; readonly data: Uint8Array }
  | { readonly kind: 'noop' }
  | { readonly kind: 'members'; readonly members: readonly Member[] }

/** Leader: appends drafts to its log, lets followers have them. Returns the first index. */
export function appendAsLeader(raft: RaftState, drafts: readonly Draft[]): number {
  const firstIndex = raft.log.lastIndex + 1
  const entries: Entry[] = drafts.map((draft, at) => ({ ...draft, index: firstIndex + at, term: raft.term }))
  for (const entry of entries) raft.uncommittedBytes += entryBytes(entry)
  raft.appendEntries(entries)
  broadcastAppend(raft)
  return firstIndex
}

export function broadcastAppend(raft: RaftState): void {
  for (const to of raft.progress.keys()) sendPipelined(raft, to)
}

/** Sends entries until the follower has them all on the way or its bounds are reached. */
function sendPipelined(raft: RaftState, to: string): void {
  while (sendAppend(raft, to, { evenEmpty: false }));
}

/** Leader, every tick: commit indexes that no append has carried to a follower yet. */
export function announceCommits(raft: RaftState): void {
  for (const [to, progress] of raft.progress) {
    if (progress.sentCommit < raft.log.committed && progress.state === 'replicate') {
      sendAppend(raft, to, { evenEmpty: true })
    }
  }
}

/**
 * Sends the next entries to `to`, or an empty append when `evenEmpty`. Returns whether something was sent.
 * A follower that needs entries that are compacted gets a snapshot instead.
 */
export function sendAppend(raft: RaftState, to: string, options: { evenEmpty: boolean }): boolean {
  const progress = raft.progress.get(to)
  if (progress === undefined || progress.paused(raft.limits)) return false
  const prevIndex = progress.next - 1
  const prevTerm = raft.log.termAt(prevIndex)
  if (prevTerm === undefined) {
    // A peer that is down would only hold the snapshot; it gets one when it answers again.
    if (!progress.recentlyActive) return false
    progress.becomeSnapshot()
    raft.effects.snapshotsTo.push(to)
    return true
  }
  const entries = raft.log.slice(progress.next, raft.log.lastIndex + 1, raft.limits.appendBytesMax)
  if (entries.length === 0 && !options.evenEmpty) return false
  const commit = raft.log.committed
  const append = { type: 'append', from: raft.nodeId, to, term: raft.term } as const
  raft.send({ ...append, prevIndex, prevTerm, entries, commit }, 'nothing')
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  progress.sent(prevIndex + entries.length, bytes)
  progress.sentCommit = commit
  return true
}

/** Follower: takes what continues its log, drops what contradicts the leader, answers when durable. */
export function handleAppend(raft: RaftState, append: Append): void {
  heardLeader(raft, append.from)
  const { log } = raft
  const reply = { from: raft.nodeId, to: append.from, term: raft.term } as const
  if (append.prevIndex < log.committed) {
    raft.send({ type: 'appendAccepted', ...reply, match: log.committed }, 'log')
    return
  }
  if (!log.matches(append.prevIndex, append.prevTerm)) {
    const hint = log.lastAgreement(append.prevIndex, append.prevTerm)
    const rejection = { prevIndex: append.prevIndex, hintIndex: hint.index, hintTerm: hint.term }
    raft.send({ type: 'appendRejected', ...reply, ...rejection }, 'term')
    return
  }
  const news = append.entries.findIndex((entry) => !log.matches(entry.index, entry.term))
  const first = append.entries[news]
  if (first !== undefined) {
    if (first.index <= log.lastIndex) raft.truncateLog(first.index)
    raft.appendEntries(append.entries.slice(news))
  }
  const match = append.prevIndex + append.entries.length
  commitTo(raft, Math.min(append.commit, match))
  raft.send({ type: 'appendAccepted', ...reply, match }, 'log')
}

export function handleHeartbeat(raft: RaftState, heartbeat: Heartbeat): void {
  heardLeader(raft, heartbeat.from)
  commitTo(raft, heartbeat.commit)
  const reply = { type: 'heartbeatReply', from: raft.nodeId, to: heartbeat.from, term: raft.term } as const
  raft.send({ ...reply, round: heartbeat.round }, 'term')
}

export function handleHeartbeatReply(raft: RaftState, reply: HeartbeatReply): void {
  const progress = raft.progress.get(reply.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  progress.confirmedRound = Math.max(progress.confirmedRound, reply.round)
  finishRound(raft)
  // The follower is alive and still behind: the last append or its answer may be lost. Ask again.
  if (progress.match < raft.log.lastIndex && progress.state !== 'snapshot') {
    if (progress.paused(raft.limits)) progress.resume()
    sendAppend(raft, reply.from, { evenEmpty: true })
  }
}

export function handleAppendAccepted(raft: RaftState, reply: AppendAccepted): void {
  const progress = raft.progress.get(reply.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  const wasPaused = progress.paused(raft.limits)
  const news = progress.accept(reply.match)
  if (progress.state === 'probe') progress.becomeReplicate()
  else if (progress.state === 'snapshot' && progress.match >= raft.log.baseIndex) progress.becomeReplicate()
  if (news) maybeCommit(raft)
  if (news || wasPaused) sendPipelined(raft, reply.from)
  if (news) continueTransfer(raft, reply.from)
}

export function handleAppendRejected(raft: RaftState, reply: AppendRejected): void {
  const progress = raft.progress.get(reply.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  // Both logs are searched by term, so that each round skips a whole term instead of one entry.
  const agreement = raft.log.lastAgreement(reply.hintIndex, reply.hintTerm).index
  if (progress.reject(reply.prevIndex, agreement)) sendAppend(raft, reply.from, { evenEmpty: true })
}

/** Leader: commits what a majority has durably, if it is of this term. */
export function maybeCommit(raft: RaftState): void {
  if (raft.role !== 'leader') return
  const { log } = raft
  const reached = raft.membership.majorityReached((voter) =>
    voter === raft.nodeId ? log.durable : (raft.progress.get(voter)?.match ?? 0),
  )
  if (reached <= log.committed || !log.matches(reached, raft.term)) return
  raft.uncommittedBytes = Math.max(
    0,
    raft.uncommittedBytes - log.bytesBetween(log.committed + 1, reached + 1),
  )
  commitTo(raft, reached)
  // A leader that the group has voted out has done its last duty (section 4.2.2).
  if (!raft.promotable && raft.membership.index <= reached) becomeFollower(raft, raft.term, undefined)
  else startRound(raft)
}

/** Moves the commit index forward; entries go to the host in `collectCommitted`. */
export function commitTo(raft: RaftState, index: number): void {
  const { log } = raft
  if (index <= log.committed) return
  if (index > log.lastIndex) throw new Error(`raft: commit ${index} beyond the log's end ${log.lastIndex}`)
  log.committed = index
}

/** Hands committed entries to the host, one bounded batch at a time. */
export function collectCommitted(raft: RaftState): void {
  const { log } = raft
  if (log.applying > log.applied || log.applying >= log.committed) return
  const entries = log.slice(log.applying + 1, log.committed + 1, raft.limits.applyBytesMax)
  const last = entries.at(-1)
  if (last === undefined) return
  log.applying = last.index
  raft.effects.committed = entries
}
