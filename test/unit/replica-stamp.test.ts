import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StateMachine } from '../../node/core/state-machine.ts'
import { ReplicaCluster, until, voters } from '../sim/replica-cluster.ts'
import { SimStore } from '../sim/sim-store.ts'

const hourMs = 3_600_000
const nodeIds = ['n1', 'n2', 'n3']

test('every replica judges a command by the clock of the leader that took it, not by its own', async () => {
  const cluster = new ReplicaCluster({ members: voters(...nodeIds) })
  const stamps = new Map<string, (number | undefined)[]>()
  const noting = (nodeId: string): StateMachine => ({
    apply: ({ leaderMs }) => {
      stamps.set(nodeId, [...(stamps.get(nodeId) ?? []), leaderMs])
      return { reply: {}, mutations: [] }
    },
  })
  try {
    for (const nodeId of nodeIds) await cluster.start(nodeId, new SimStore(), noting(nodeId))
    const leader = await cluster.leader()
    const leading = nodeIds.find((nodeId) => cluster.group(nodeId) === leader) ?? assert.fail('it runs here')
    for (const nodeId of nodeIds) cluster.wallAheadMs.set(nodeId, nodeId === leading ? -hourMs : 5 * hourMs)
    const beforeMs = Date.now()
    await leader.propose({ kind: 'x' }, { requestId: 'r1', timeoutMs: 5_000 })
    const afterMs = Date.now()
    await until('all to apply it', () => nodeIds.every((nodeId) => stamps.get(nodeId)?.length === 1))
    const [stamp] = stamps.get(leading) ?? []
    assert.ok(stamp !== undefined && stamp >= beforeMs - hourMs && stamp <= afterMs - hourMs)
    for (const nodeId of nodeIds) assert.deepEqual(stamps.get(nodeId), [stamp])
    const [record] = leader.entries(leader.status().commitIndex, 1)
    assert.equal(record?.leaderMs, stamp, 'and the journal is told')
  } finally {
    await cluster.close()
  }
})
