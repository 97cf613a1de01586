/** Members that lag, join and leave; the log that is kept for them and for the journal. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Member } from '../../node/core/raft-messages.ts'
import { ClusterError } from '../../node/errors.ts'
import { LevelStore } from '../../node/io/level-store.ts'
import type { Group } from '../../node/services/replica.ts'
import type { RowStore } from '../../node/world.ts'
import { fastLimits, ReplicaCluster, until, voters } from '../sim/replica-cluster.ts'
import { SimStore } from '../sim/sim-store.ts'

const storeLimits = {
  queuedBytesMax: 64 * 2 ** 20,
  lazyWriteMs: 10,
  writeBufferBytes: 2 ** 20,
  cacheBytes: 2 ** 20,
  scanAheadBytes: 2 ** 14,
}
const limits = {
  ...fastLimits,
  logEntriesMax: 50,
  logTrimEntries: 10,
  logPinnedFactor: 3,
  snapshotChunkBytes: 2_000,
}

let cluster: ReplicaCluster
let requests = 0

/** Many writes at once on whoever leads. */
async function write(group: Group, count: number, value = 'v'.repeat(100)): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) => {
      requests += 1
      const options = { requestId: `w${requests}`, timeoutMs: 10_000 }
      return group.propose({ op: 'put', key: `k${n % 40}`, value: `${value}${n}` }, options)
    }),
  )
}

function nodeOf(group: Group): string {
  return cluster.nodes.find((nodeId) => cluster.group(nodeId) === group) ?? ''
}

async function caughtUp(nodeId: string, leader: Group): Promise<void> {
  await until(`${nodeId} to catch up`, () => {
    return cluster.group(nodeId).status().appliedIndex === leader.status().appliedIndex
  })
}

/** Makes a learner a voter as soon as the leader knows that it has caught up. */
async function promote(leader: Group, members: readonly Member[]): Promise<void> {
  for (let promoted = false; !promoted; ) {
    await new Promise((resolve) => setImmediate(resolve))
    promoted = await leader.changeMembers(members, 5_000).then(
      () => true,
      (cause: unknown) => {
        if (cause instanceof ClusterError && cause.details.reason === 'learnerBehind') return false
        throw cause
      },
    )
  }
}

describe('a replica on LevelDB that missed more than the log keeps', () => {
  let directory: string
  const open = (nodeId: string): Promise<RowStore> => LevelStore.open(join(directory, nodeId), storeLimits)

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'replica-members-'))
    cluster = new ReplicaCluster({ members: voters('a', 'b', 'c'), limits })
    for (const nodeId of ['a', 'b', 'c']) await cluster.start(nodeId, await open(nodeId))
  })
  afterEach(async () => {
    await cluster.close()
    await rm(directory, { recursive: true })
    assert.deepEqual(cluster.failures, [])
  })

  test('gets a snapshot while writing goes on, answers old requests, and survives a restart', async () => {
    const leader = await cluster.leader()
    await leader.propose({ op: 'put', key: 'once', value: '1' }, { requestId: 'once', timeoutMs: 5_000 })
    const lagging = cluster.nodes.find((nodeId) => cluster.group(nodeId) !== leader) ?? ''
    await cluster.stop(lagging).close()
    await write(leader, 400)
    assert.ok(leader.status().firstIndex > 300)
    let chunks = 0
    cluster.filter = (_from, to, { message }) => {
      if (to === lagging && message.type === 'snapshot') chunks += 1
      return true
    }
    await cluster.start(lagging, await open(lagging))
    const writing = write(leader, 300)
    await caughtUp(lagging, leader)
    await writing
    await caughtUp(lagging, leader)
    assert.ok(chunks > 3, `${chunks} chunks`)
    await cluster.stop(lagging).close()
    const group = await cluster.start(lagging, await open(lagging))
    assert.equal(group.get('k39')?.toString(), leader.get('k39')?.toString())
    await caughtUp(lagging, leader)
    leader.transferLeadership(lagging)
    await until('the heir', () => group.status().role === 'leader')
    const again = await group.propose(
      { op: 'put', key: 'once', value: '2' },
      { requestId: 'once', timeoutMs: 5_000 },
    )
    assert.deepEqual(again, { before: null })
    assert.equal(group.get('once')?.toString(), '1')
  })
})

describe('membership of a running group', () => {
  beforeEach(async () => {
    cluster = new ReplicaCluster({ members: voters('a', 'b', 'c'), limits })
    for (const nodeId of ['a', 'b', 'c']) await cluster.start(nodeId, new SimStore())
  })
  afterEach(async () => {
    await cluster.close()
    assert.deepEqual(cluster.failures, [])
  })

  test('a new node learns, becomes a voter, and the group goes on with it and one founder', async () => {
    const leader = await cluster.leader()
    await write(leader, 200)
    const others = cluster.nodes.filter((nodeId) => cluster.group(nodeId) !== leader)
    await cluster.join('d', new SimStore())
    await leader.changeMembers([...voters('a', 'b', 'c'), { nodeId: 'd', learner: true }], 5_000)
    await caughtUp('d', leader)
    await promote(leader, voters('a', 'b', 'c', 'd'))
    await leader.changeMembers(
      voters('a', 'b', 'c', 'd').filter(({ nodeId }) => nodeId !== others[0]),
      5_000,
    )
    cluster.stop(others[1] ?? '')
    await write(leader, 20)
    await caughtUp('d', leader)
    assert.deepEqual(
      cluster
        .group('d')
        .status()
        .members.map(({ nodeId }) => nodeId)
        .sort(),
      ['a', 'b', 'c', 'd'].filter((nodeId) => nodeId !== others[0]),
    )
  })

  test('a change that is more than one step says so and changes nothing', async () => {
    const leader = await cluster.leader()
    await write(leader, 1)
    await assert.rejects(
      leader.changeMembers(voters(nodeOf(leader)), 1_000),
      (cause) => cause instanceof ClusterError && cause.details.reason === 'notSingleChange',
    )
    assert.equal(leader.status().members.length, 3)
  })

  test('messages of another incarnation of the group are ignored', async () => {
    const leader = await cluster.leader()
    const term = leader.status().term
    const to = cluster.nodes.find((nodeId) => cluster.group(nodeId) !== leader) ?? ''
    const forged = { type: 'timeoutNow', from: nodeOf(leader), to, term } as const
    cluster.inject(nodeOf(leader), to, { groupId: 'kv', epoch: 2, message: forged })
    cluster.inject('b' === to ? 'c' : 'b', to, {
      groupId: 'kv',
      epoch: 1,
      message: { ...forged, from: 'zz' },
    })
    await write(leader, 50)
    assert.equal(leader.status().role, 'leader')
    assert.equal(leader.status().term, term)
  })
})

describe('the log of a leader', () => {
  beforeEach(async () => {
    cluster = new ReplicaCluster({ members: voters('a'), limits })
    await cluster.start('a', new SimStore())
    await cluster.leader()
  })
  afterEach(() => cluster.close())

  test('keeps what the journal has not taken, then takes no more proposals until it has', async () => {
    const group = cluster.group('a')
    group.retainFrom(0)
    let refused: unknown
    for (let n = 0; n < 300 && refused === undefined; n += 1) {
      await write(group, 1).catch((cause: unknown) => {
        refused = cause
      })
    }
    assert.ok(refused instanceof ClusterError && refused.code === 'Overloaded')
    assert.equal(group.status().firstIndex, 1)
    const records = group.entries(1, 1_000)
    assert.deepEqual(
      records.map(({ index }) => index),
      records.map((_, at) => at + 1),
    )
    assert.ok(records.some(({ kind, requestId }) => kind === 'command' && requestId !== undefined))
    group.retainFrom(group.status().appliedIndex + 1)
    await write(group, 1)
    assert.ok(group.status().firstIndex > 50)
    assert.deepEqual(group.entries(1, 10), [])
  })

  test('reports every committed command once and in order', async () => {
    const group = cluster.group('a')
    const seen: number[] = []
    const stop = group.onCommitted((entries) => seen.push(...entries.map(({ index }) => index)))
    await write(group, 100)
    assert.equal(seen.length, 100)
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => a - b),
    )
    stop()
    await write(group, 1)
    assert.equal(seen.length, 100)
  })

  test('refuses proposals over its bounds instead of queueing them', async () => {
    const group = cluster.group('a')
    const results = await Promise.allSettled(
      Array.from({ length: fastLimits.proposalsMax + 500 }, (_, n) =>
        group.propose({ op: 'put', key: 'x', value: '' }, { requestId: `b${n}`, timeoutMs: 10_000 }),
      ),
    )
    const overloaded = results.filter(
      (result) =>
        result.status === 'rejected' &&
        result.reason instanceof ClusterError &&
        result.reason.code === 'Overloaded',
    )
    assert.equal(overloaded.length, 500)
  })
})
