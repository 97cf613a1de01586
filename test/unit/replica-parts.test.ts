/** Parts of the replica host whose faults the simulator can hardly provoke from outside. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SnapshotChunk } from '../../node/core/raft-messages.ts'
import { ClusterError } from '../../node/errors.ts'
import { Reads } from '../../node/services/replica-reads.ts'
import { SnapshotReceiver } from '../../node/services/replica-snapshot-receiver.ts'
import { GroupStorage } from '../../node/services/replica-storage.ts'
import { SimStore } from '../sim/sim-store.ts'

const members = [{ nodeId: 'a', learner: false }]
const identity = { groupId: 'g', epoch: 3, members }

describe('a read', () => {
  test('is answered when its index is applied, not when it is confirmed', async () => {
    const reads = new Reads()
    let answered = false
    const read = reads
      .add(1_000, () => undefined)
      .then(() => {
        answered = true
      })
    reads.confirm([1], { index: 7, applied: 6 })
    reads.applied(6)
    await Promise.resolve()
    assert.equal(answered, false)
    reads.applied(7)
    await read
    assert.equal(reads.count, 0)
  })

  test('that is overdue is refused, once', async () => {
    const reads = new Reads()
    const read = reads.add(1_000, () => undefined)
    reads.expire(1_000, () => new ClusterError('Timeout', 'late'))
    reads.refuse(new ClusterError('NotLeader', 'gone'))
    await assert.rejects(read, (cause) => cause instanceof ClusterError && cause.code === 'Timeout')
  })
})

describe('the storage of a group', () => {
  const persist = { sequence: 1, snapshot: undefined, remove: undefined, entries: [] } as const

  test('finds term and vote again', async () => {
    const store = new SimStore()
    const storage = new GroupStorage('g', store)
    await storage.load(identity)
    const hardState = { term: 9, votedFor: 'b' }
    await store.write(storage.persist({ ...persist, hardState }, 3), { durable: true })
    const found = await new GroupStorage(
      'g',
      store.crash(() => 0),
    ).load(identity)
    assert.deepEqual(found.hardState, hardState)
  })

  test('refuses the state of another incarnation of the group', async () => {
    const store = new SimStore()
    await new GroupStorage('g', store).load(identity)
    await assert.rejects(new GroupStorage('g', store).load({ ...identity, epoch: 4 }), ClusterError)
  })

  test('of one group never sees rows of another, whatever their names', async () => {
    const store = new SimStore()
    const storages = ['g', 'g-1', 'g.1'].map((groupId) => new GroupStorage(groupId, store))
    for (const storage of storages) {
      await storage.load({ ...identity, groupId: storage.groupId })
      const row = { key: storage.keyOf('r/', 'x'), value: Buffer.from(storage.groupId) }
      await store.write([row], { durable: true })
    }
    for (const storage of storages) {
      const found: string[] = []
      for await (const { value } of storage.scan(store, 'r/')) found.push(Buffer.from(value).toString())
      assert.deepEqual(found, [storage.groupId])
    }
  })
})

describe('a receiver of snapshots', () => {
  const position = { index: 5, term: 1, members }
  const chunk = (transferId: string, number: number): SnapshotChunk => ({
    type: 'snapshot',
    from: 'b',
    to: 'a',
    term: 1,
    position,
    transferId,
    chunk: number,
    last: number === 2,
    rows: [{ key: `r/${transferId}${number}`, value: Buffer.from('') }],
  })

  async function receive(chunks: readonly SnapshotChunk[]) {
    const store = new SimStore()
    const storage = new GroupStorage('g', store)
    await storage.load(identity)
    const replies: number[] = []
    let complete = 0
    const receiver = new SnapshotReceiver({
      storage,
      reply: (_chunk, nextChunk) => replies.push(nextChunk),
      onComplete: () => {
        complete += 1
      },
      onFatal: (cause) => {
        throw cause
      },
    })
    for (const one of chunks) {
      receiver.receive(one)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const staged: string[] = []
    for await (const { key } of store.scan({ gte: 'g/g/v/', lt: 'g/g/v0' })) {
      if (key.includes('/r/')) staged.push(key.split('/r/')[1] ?? '')
    }
    return { replies, complete, staged }
  }

  test('takes chunks in order only, asks for the one that is missing and ignores repetitions', async () => {
    const chunks = [chunk('x', 0), chunk('x', 2), chunk('x', 0), chunk('x', 1), chunk('x', 2), chunk('x', 2)]
    const { replies, complete, staged } = await receive(chunks)
    assert.deepEqual(replies, [1, 1, 1, 2, 3])
    assert.deepEqual(staged, ['x0', 'x1', 'x2'])
    assert.equal(complete, 1)
  })

  test('never continues one transfer with chunks of another', async () => {
    const { replies, complete } = await receive([chunk('x', 0), chunk('y', 1), chunk('y', 2), chunk('y', 0)])
    assert.deepEqual(replies, [1, 0, 0, 1])
    assert.equal(complete, 0)
  })

  test('stages nothing that is not replicated state', async () => {
    const forged = { ...chunk('x', 0), rows: [{ key: 'l/0000000000001', value: Buffer.from('') }] }
    const { replies } = await receive([forged])
    assert.deepEqual(replies, [])
  })
})
