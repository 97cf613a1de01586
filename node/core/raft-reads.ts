/**
 * Linearizable reads without a log entry: ReadIndex (dissertation section 6.4), batched.
 *
 * A read is good once (1) the leader has committed an entry of its term, (2) a majority has confirmed, after the
 * read arrived, that it still leads, (3) this node has applied up to the commit index of that moment (the host
 * waits for it). One round of heartbeats confirms all reads that arrived before it started; reads that arrive
 * while a round is on its way share the next one. No lease is used: clocks may jump.
 */
import type { RaftState } from './raft-state.ts'

export function requestRead(raft: RaftState, id: number): void {
  if (raft.role !== 'leader') {
    raft.effects.failedReads.push(id)
    return
  }
  raft.reads.waiting.push(id)
  startRound(raft)
}

/** Starts a round when reads wait, none is on its way and the commit index is known to be current. */
export function startRound(raft: RaftState): void {
  const { reads, log } = raft
  if (reads.waiting.length === 0 || reads.confirming !== undefined) return
  if (!log.matches(log.committed, raft.term)) return
  reads.round += 1
  reads.confirming = { round: reads.round, index: log.committed, ids: reads.waiting }
  reads.waiting = []
  broadcastHeartbeat(raft)
  finishRound(raft)
}

/** A follower confirmed `round`; the reads of that round may be answered when a majority has. */
export function finishRound(raft: RaftState): void {
  const { confirming } = raft.reads
  if (confirming === undefined) return
  const confirmed = raft.membership.hasMajority(
    (voter) => voter === raft.nodeId || (raft.progress.get(voter)?.confirmedRound ?? 0) >= confirming.round,
  )
  if (!confirmed) return
  raft.reads.confirming = undefined
  raft.effects.reads.push({ ids: confirming.ids, index: confirming.index })
  startRound(raft)
}

/** Leadership is gone: whoever asked must ask the next leader. */
export function failReads(raft: RaftState): void {
  raft.effects.failedReads.push(...(raft.reads.confirming?.ids ?? []), ...raft.reads.waiting)
  raft.reads.confirming = undefined
  raft.reads.waiting = []
}

export function broadcastHeartbeat(raft: RaftState): void {
  raft.heartbeatDueMs = raft.nowMs + raft.limits.heartbeatMs
  for (const [to, progress] of raft.progress) {
    // Never beyond what is known to match: a commit index says nothing about another log.
    const commit = Math.min(raft.log.committed, progress.match)
    const round = raft.reads.round
    raft.send({ type: 'heartbeat', from: raft.nodeId, to, term: raft.term, commit, round }, 'nothing')
  }
}
