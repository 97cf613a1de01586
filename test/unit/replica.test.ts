import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ClusterError } from '../../node/errors.ts'
import { LevelStore } from '../../node/io/level-store.ts'
import type { RowStore } from '../../node/world.ts'
import { ReplicaCluster, until, voters } from '../sim/replica-cluster.ts'
import { SimStore } from '../sim/sim-store.ts'

const storeLimits = {
  queuedBytesMax: 64 * 2 ** 20,
  lazyWriteMs: 10,
  writeBufferBytes: 4 * 2 ** 20,
  cacheBytes: 8 * 2 ** 20,
  scanAheadBytes: 64 * 2 ** 10,
}

describe('three replicas on LevelDB', () => {
  let directory: string
  let cluster: ReplicaCluster
  const open = (nodeId: string): Promise<RowStore> => LevelStore.open(join(directory, nodeId), storeLimits)

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'replica-'))
    cluster = new ReplicaCluster({ members: voters('a', 'b', 'c') })
    for (const nodeId of ['a', 'b', 'c']) await cluster.start(nodeId, await open(nodeId))
  })
  afterEach(async () => {
    await cluster.close()
    await rm(directory, { recursive: true })
    assert.deepEqual(cluster.failures, [])
  })

  test('a proposal is answered by the state machine and reaches every replica', async () => {
    assert.deepEqual(await cluster.propose({ op: 'put', key: 'x', value: '1' }), { before: null })
    assert.deepEqual(await cluster.propose({ op: 'put', key: 'x', value: '2' }), { before: '1' })
    for (const nodeId of cluster.nodes) {
      await until(`${nodeId} to apply`, () => cluster.group(nodeId).get('x')?.toString() === '2')
    }
  })

  test('a follower refuses proposals and reads and names the leader', async () => {
    const leader = await cluster.leader()
    const leaderId = await until('followers to know', () => {
      const known = cluster.nodes.map((nodeId) => cluster.group(nodeId).status().leaderId)
      return known.every((id) => id !== undefined && id === known[0]) && known[0]
    })
    const follower = cluster.nodes.map((nodeId) => cluster.group(nodeId)).find((group) => group !== leader)
    assert.ok(follower)
    const isNotLeader = (cause: unknown) =>
      cause instanceof ClusterError && cause.code === 'NotLeader' && cause.details.leaderId === leaderId
    await assert.rejects(follower.propose({}, { requestId: 'r', timeoutMs: 100 }), isNotLeader)
    await assert.rejects(follower.readBarrier(100), isNotLeader)
  })

  test('a read barrier on the leader sees everything acknowledged, also just after an election', async () => {
    await cluster.propose({ op: 'put', key: 'x', value: 'before' })
    const leader = await cluster.leader()
    const old = cluster.nodes.find((nodeId) => cluster.group(nodeId) === leader) ?? ''
    cluster.isolate(old, true)
    const next = await until('another leader', () =>
      cluster.nodes
        .filter((nodeId) => nodeId !== old)
        .map((nodeId) => cluster.group(nodeId))
        .find((group) => group.status().role === 'leader'),
    )
    await next.readBarrier(5_000)
    assert.equal(next.get('x')?.toString(), 'before')
    await assert.rejects(leader.readBarrier(100), ClusterError)
    cluster.isolate(old, false)
  })

  test('thousands of concurrent proposals are all answered and all applied', async () => {
    const replies = await Promise.all(
      Array.from({ length: 2_000 }, (_, n) =>
        cluster.propose({ op: 'cas', key: `k${n}`, expect: null, value: String(n) }, `many-${n}`),
      ),
    )
    assert.deepEqual(new Set(replies.map((reply) => JSON.stringify(reply))), new Set(['{"before":null}']))
    const leader = await cluster.leader()
    await leader.readBarrier(10_000)
    for (let n = 0; n < 2_000; n += 1) assert.equal(leader.get(`k${n}`)?.toString(), String(n))
  })

  test('after a restart of all replicas everything acknowledged is there', async () => {
    for (let n = 0; n < 50; n += 1) await cluster.propose({ op: 'put', key: `k${n}`, value: String(n) })
    for (const nodeId of cluster.nodes) await cluster.stop(nodeId).close()
    for (const nodeId of ['a', 'b', 'c']) await cluster.start(nodeId, await open(nodeId))
    const leader = await cluster.leader()
    await leader.readBarrier(5_000)
    for (let n = 0; n < 50; n += 1) assert.equal(leader.get(`k${n}`)?.toString(), String(n))
  })

  test('a command that needs a scan sees all entries before it and none behind', async () => {
    const leader = await cluster.leader()
    const propose = (command: object, requestId: string) =>
      leader.propose(command, { requestId, timeoutMs: 5_000 })
    const [, , counted, , again] = await Promise.all([
      propose({ op: 'put', key: 'p/1', value: '' }, '1'),
      propose({ op: 'put', key: 'p/2', value: '' }, '2'),
      propose({ op: 'count', prefix: 'p/', into: 'n' }, '3'),
      propose({ op: 'put', key: 'p/3', value: '' }, '4'),
      propose({ op: 'count', prefix: 'p/', into: 'n' }, '5'),
    ])
    assert.deepEqual([counted, again], [{ count: 2 }, { count: 3 }])
  })
})

describe('a repeated proposal', () => {
  test('is applied once and answers the same, also on the next leader', async (t) => {
    const cluster = new ReplicaCluster({ members: voters('a', 'b', 'c') })
    t.after(() => cluster.close())
    for (const nodeId of ['a', 'b', 'c']) await cluster.start(nodeId, new SimStore())
    const first = await cluster.propose({ op: 'put', key: 'x', value: '1' }, 'same')
    await cluster.propose({ op: 'put', key: 'x', value: '2' }, 'other')
    const leader = await cluster.leader()
    const again = await leader.propose(
      { op: 'put', key: 'x', value: '1' },
      { requestId: 'same', timeoutMs: 500 },
    )
    assert.deepEqual(again, first)
    const old = cluster.nodes.find((nodeId) => cluster.group(nodeId) === leader) ?? ''
    cluster.stop(old)
    assert.deepEqual(await cluster.propose({ op: 'put', key: 'x', value: '1' }, 'same'), first)
    const next = await cluster.leader()
    await next.readBarrier(5_000)
    assert.equal(next.get('x')?.toString(), '2')
  })

  test('within one batch is recognised as well', async (t) => {
    const cluster = new ReplicaCluster({ members: voters('a') })
    t.after(() => cluster.close())
    const group = await cluster.start('a', new SimStore())
    await cluster.leader()
    const propose = () =>
      group.propose({ op: 'cas', key: 'x', expect: null, value: '1' }, { requestId: 'r', timeoutMs: 500 })
    const replies = await Promise.all([propose(), propose(), propose()])
    assert.deepEqual(replies, [{ before: null }, { before: null }, { before: null }])
  })
})

describe('a host whose disk fails', () => {
  test('stops: nothing is acknowledged and the failure is reported once', async (t) => {
    const cluster = new ReplicaCluster({ members: voters('a') })
    t.after(() => cluster.close())
    const store = new SimStore()
    const group = await cluster.start('a', store)
    await cluster.leader()
    await cluster.propose({ op: 'put', key: 'x', value: '1' })
    store.failNextSync = true
    const write = group.propose({ op: 'put', key: 'x', value: '2' }, { requestId: 'r', timeoutMs: 500 })
    await assert.rejects(write, ClusterError)
    assert.equal(cluster.failures.length, 1)
    await assert.rejects(group.readBarrier(100), ClusterError)
  })
})
