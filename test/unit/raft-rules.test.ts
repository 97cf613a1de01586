/** Single rules of Raft, one node at a time: situations too rare for the simulator to meet by chance. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRaft, type RaftEvent, step } from '../../node/core/raft.ts'
import type { Entry, RaftMessage } from '../../node/core/raft-messages.ts'
import type { RaftEffects, RaftState } from '../../node/core/raft-state.ts'
import { simLimits } from '../sim/raft-sim.ts'

const members = ['n1', 'n2', 'n3'].map((nodeId) => ({ nodeId, learner: false }))

/** n1 with a log of entries of the given terms; its disk is as fast as the test. */
class Node {
  readonly raft: RaftState
  nowMs = 0

  constructor(term: number, terms: readonly number[]) {
    const entries = terms.map((one, at) => ({ kind: 'noop', index: at + 1, term: one }) as const)
    const read = (from: number, to: number): readonly Entry[] => entries.slice(from - 1, to - 1)
    this.raft = createRaft(
      { nodeId: 'n1', seed: 1, limits: simLimits },
      {
        hardState: { term, votedFor: undefined },
        base: { index: 0, term: 0 },
        appliedIndex: 0,
        members,
        entries,
      },
      { read },
      0,
    )
  }

  step(event: RaftEvent): RaftEffects {
    return step(this.raft, event, this.nowMs)
  }

  receive(message: RaftMessage): RaftEffects {
    return this.step({ type: 'message', message })
  }

  /** A step and the fsync of what it wrote; messages of both. */
  durably(event: RaftEvent): RaftMessage[] {
    const effects = this.step(event)
    if (effects.persist === undefined) return effects.messages
    const after = this.durably({ type: 'persisted', sequence: effects.persist.sequence })
    return [...effects.messages, ...after]
  }

  /** Wins an election with the vote of n2. */
  lead(): void {
    this.nowMs += 10_000
    this.step({ type: 'tick' })
    const reply = { type: 'voteReply', from: 'n2', to: 'n1', granted: true } as const
    this.durably({ type: 'message', message: { ...reply, pre: true, term: this.raft.term + 1 } })
    this.durably({ type: 'message', message: { ...reply, pre: false, term: this.raft.term } })
    assert.equal(this.raft.role, 'leader')
  }
}

const fromN2 = { from: 'n2', to: 'n1' } as const

describe('the commit index', () => {
  test('does not reach an entry of an earlier term by counting copies (figure 3.7)', () => {
    const node = new Node(3, [1, 2])
    node.lead()
    assert.equal(node.raft.log.lastIndex, 3)
    node.receive({ type: 'appendAccepted', ...fromN2, term: node.raft.term, match: 2 })
    assert.equal(node.raft.log.committed, 0)
    node.receive({ type: 'appendAccepted', ...fromN2, term: node.raft.term, match: 3 })
    assert.equal(node.raft.log.committed, 3)
  })

  test('of a follower stays below entries that the append has not shown to be the leader’s', () => {
    const node = new Node(1, [1, 1, 1])
    const entries = [{ kind: 'noop', index: 1, term: 1 } as const]
    node.receive({ type: 'append', ...fromN2, term: 2, prevIndex: 0, prevTerm: 0, entries, commit: 3 })
    assert.equal(node.raft.log.committed, 1)
  })
})

describe('a read', () => {
  test('is not confirmed by a round that began before it', () => {
    const node = new Node(1, [])
    node.lead()
    const { term } = node.raft
    node.receive({ type: 'appendAccepted', ...fromN2, term, match: 1 })
    node.step({ type: 'read', id: 1 })
    node.step({ type: 'read', id: 2 })
    const first = node.receive({ type: 'heartbeatReply', ...fromN2, term, round: 1 })
    assert.deepEqual(first.reads, [{ ids: [1], index: 1 }])
    assert.ok(first.messages.some((message) => message.type === 'heartbeat' && message.round === 2))
    const second = node.receive({ type: 'heartbeatReply', ...fromN2, term, round: 2 })
    assert.deepEqual(second.reads, [{ ids: [2], index: 1 }])
  })

  test('fails when leadership goes, wherever it waited', () => {
    const node = new Node(1, [])
    node.lead()
    node.step({ type: 'read', id: 1 })
    node.receive({ type: 'appendAccepted', ...fromN2, term: node.raft.term, match: 1 })
    node.step({ type: 'read', id: 2 })
    const later = { type: 'heartbeat', ...fromN2, term: node.raft.term + 1, commit: 0, round: 0 } as const
    assert.deepEqual(node.receive(later).failedReads, [1, 2])
  })
})

describe('a vote', () => {
  const request = { type: 'vote', from: 'n3', to: 'n1', lastIndex: 9, lastTerm: 9 } as const

  test('is not even considered while a leader is heard, unless that leader asked for it', () => {
    const node = new Node(1, [1])
    node.receive({ type: 'heartbeat', ...fromN2, term: 2, commit: 0, round: 0 })
    for (const pre of [true, false]) {
      assert.deepEqual(
        node.durably({ type: 'message', message: { ...request, term: 7, pre, transfer: false } }),
        [],
      )
      assert.equal(node.raft.term, 2)
    }
    const replies = node.durably({
      type: 'message',
      message: { ...request, term: 7, pre: false, transfer: true },
    })
    assert.ok(replies.some((message) => message.type === 'voteReply' && message.granted))
  })

  test('is spoken of only when it is durable', () => {
    const node = new Node(1, [1])
    const effects = node.receive({ ...request, term: 2, pre: false, transfer: false })
    assert.deepEqual(effects.messages, [])
    assert.deepEqual(effects.persist?.hardState, { term: 2, votedFor: 'n3' })
    const after = node.step({ type: 'persisted', sequence: effects.persist?.sequence ?? 0 })
    assert.deepEqual(
      after.messages.map((message) => message.type),
      ['voteReply'],
    )
  })

  test('that was not durable yet is never spoken of in a later term', () => {
    const node = new Node(1, [1])
    const first = node.receive({ ...request, term: 2, pre: false, transfer: false })
    const second = node.receive({ ...request, from: 'n2', term: 3, pre: false, transfer: false })
    const after = node.step({ type: 'persisted', sequence: second.persist?.sequence ?? 0 })
    assert.ok((first.persist?.sequence ?? 0) < (second.persist?.sequence ?? 0))
    assert.deepEqual(
      after.messages.map(({ term, to }) => ({ term, to })),
      [{ term: 3, to: 'n2' }],
    )
  })

  test('of a log that is longer but older is refused', () => {
    const node = new Node(4, [1, 4])
    const message = { ...request, term: 5, lastIndex: 90, lastTerm: 3, pre: false, transfer: false } as const
    const replies = node.durably({ type: 'message', message })
    assert.deepEqual(
      replies.map((reply) => reply.type === 'voteReply' && reply.granted),
      [false],
    )
  })
})

describe('a change of members', () => {
  test('that is truncated is undone', () => {
    const node = new Node(1, [1])
    const changed = members.slice(0, 2)
    const entries = [{ kind: 'members', index: 2, term: 1, members: changed } as const]
    node.receive({ type: 'append', ...fromN2, term: 1, prevIndex: 1, prevTerm: 1, entries, commit: 0 })
    assert.deepEqual(node.raft.membership.members, changed)
    const other = [{ kind: 'noop', index: 2, term: 2 } as const]
    const from = { from: 'n3', to: 'n1', term: 2 } as const
    node.receive({ type: 'append', ...from, prevIndex: 1, prevTerm: 1, entries: other, commit: 0 })
    assert.deepEqual(node.raft.membership.members, members)
  })
})

describe('a contradiction of what is committed', () => {
  test('is a bug and throws instead of being obeyed', () => {
    const node = new Node(1, [1, 1])
    node.receive({ type: 'heartbeat', ...fromN2, term: 1, commit: 2, round: 0 })
    const entries = [{ kind: 'noop', index: 1, term: 2 } as const]
    const append = {
      type: 'append',
      ...fromN2,
      term: 2,
      prevIndex: 0,
      prevTerm: 0,
      entries,
      commit: 0,
    } as const
    assert.equal(node.receive(append).persist?.entries.length ?? 0, 0)
    assert.throws(
      () => node.receive({ type: 'heartbeat', ...fromN2, term: 2, commit: 9, round: 0 }),
      /beyond/,
    )
  })
})
