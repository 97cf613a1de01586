import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import type { MapNode, Pool } from '../../node/core/cluster-map.ts'
import { place, placementTable } from '../../node/core/placement.ts'
import { judgeWrite } from '../../node/core/quorum.ts'
import { type BlobPlan, planBlob, type RepairView } from '../../node/core/repair.ts'
import { RepairBacklog } from '../../node/core/repair-backlog.ts'
import { blobOf, mapNode, somePool } from '../sim/shard-cluster.ts'
import { seeded } from '../sim/shard-disk.ts'

const six = ['a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']

interface Situation {
  readonly nodes?: readonly MapNode[]
  readonly down?: readonly string[]
  readonly gone?: readonly string[]
  readonly full?: readonly string[]
  readonly pool?: Pool | undefined
  /** `<node>/<index>` that an inventory lacks, or has though the catalog does not say so. */
  readonly lacks?: readonly string[]
  readonly extra?: readonly string[]
  readonly unknown?: readonly string[]
}

function viewOf(blob: ShardedBlob, s: Situation): RepairView {
  const { down = [], gone = [], full = [], lacks = [], extra = [], unknown = [] } = s
  return {
    map: { nodes: s.nodes ?? six.map((nodeId) => mapNode(nodeId)) },
    pool: 'pool' in s ? s.pool : somePool,
    isUp: (nodeId) => !down.includes(nodeId) && !gone.includes(nodeId),
    isGone: (nodeId) => gone.includes(nodeId),
    isWilling: (nodeId) => !full.includes(nodeId),
    has: (nodeId, index) => {
      if (unknown.includes(nodeId)) return undefined
      const name = `${nodeId}/${index}`
      return (blob.holders[index] === nodeId && !lacks.includes(name)) || extra.includes(name)
    },
  }
}

function plan(holders: readonly string[], situation: Situation = {}): BlobPlan {
  const blob = blobOf('00ff00ff', 1000, holders)
  return planBlob(blob, viewOf(blob, situation))
}

describe('repair plan', () => {
  it('leaves a healthy, well spread blob alone', () => {
    assert.deepEqual(plan(six).tasks, [])
    assert.equal(plan(six).good, 6)
  })

  it('rebuilds in place what an inventory lacks, without the sources that lack it', () => {
    const [task, ...others] = plan(six, { lacks: ['b-1/2'] }).tasks
    assert.equal(others.length, 0)
    assert.deepEqual(task, {
      blobId: '00ff00ff',
      generation: 1,
      shardIndex: 2,
      from: 'b-1',
      to: 'b-1',
      reason: 'missing',
      sources: ['a-1', 'a-2', undefined, 'b-2', 'c-1', 'c-2'],
    })
  })

  it('waits for a node that is down for a short time, and counts its shards as not good', () => {
    const waiting = plan(six, { down: ['c-1', 'c-2'] })
    assert.deepEqual(waiting.tasks, [])
    assert.equal(waiting.good, 4)
  })

  it('doubles up on the nodes left when a site is gone, evenly, and moves apart when it is back', () => {
    const gone = plan(six, { gone: ['c-1', 'c-2'] })
    const holders = [...six]
    for (const task of gone.tasks) holders[task.shardIndex] = task.to
    const perNode = ['a-1', 'a-2', 'b-1', 'b-2'].map((n) => holders.filter((h) => h === n).length).sort()
    assert.deepEqual(perNode, [1, 1, 2, 2])
    const sites = ['a', 'b'].map((site) => holders.filter((h) => h.startsWith(site)).length)
    assert.deepEqual(sites, [3, 3])
    let moves = 0
    for (;;) {
      const [task] = plan(holders).tasks
      if (task === undefined) break
      assert.equal(task.reason, 'doubled')
      holders[task.shardIndex] = task.to
      assert.ok(++moves <= 2, 'two moves are enough')
    }
    assert.deepEqual([...holders].sort(), six)
  })

  it('renews the copy that an old holder still has instead of fetching it', () => {
    const holders = ['a-1', 'a-2', 'b-1', 'b-2', 'a-1', 'b-1']
    const [task] = plan(holders, { extra: ['c-1/0', 'c-2/0'] }).tasks
    assert.ok(task)
    assert.equal(task.sources[task.shardIndex], task.shardIndex === 0 ? task.to : holders[task.shardIndex])
  })

  it('uses copies that the catalog does not know as sources', () => {
    const [task] = plan(six, { gone: ['c-1'], extra: ['a-2/4'] }).tasks
    assert.equal(task?.sources[4], 'a-2')
  })

  it('does nothing for a blob below k, and never on an inventory that is not known', () => {
    assert.deepEqual(plan(six, { gone: ['a-1', 'b-1', 'c-1'] }).tasks, [])
    assert.deepEqual(plan(six, { unknown: ['a-1'] }).tasks, [])
    assert.equal(plan(six, { unknown: ['a-1'] }).good, 6)
  })

  it('empties a draining node by copying, and takes shards of a suspended one for lost', () => {
    const nodes = six.map((id) => mapNode(id, id === 'a-1' ? { state: 'draining' } : {}))
    const [task] = plan(six, { nodes }).tasks
    assert.equal(task?.reason, 'draining')
    assert.equal(task?.sources[0], 'a-1')
    assert.notEqual(task?.to, 'a-1')
    const suspended = six.map((id) => mapNode(id, id === 'a-1' ? { state: 'suspended' } : {}))
    const [lost] = plan(six, { nodes: suspended }).tasks
    assert.equal(lost?.reason, 'lost')
    assert.equal(lost?.sources[0], undefined)
  })

  it('never leaves the sites of the pool, and moves out what lies outside of them', () => {
    const pool = { ...somePool, sites: ['a', 'b'] }
    const tasks = plan(six, { pool, gone: ['a-1'] }).tasks
    assert.ok(tasks.length > 0 && tasks.every((task) => task.to.startsWith('a') || task.to.startsWith('b')))
    const [out] = plan(six, { pool }).tasks
    assert.equal(out?.from.slice(0, 1), 'c')
    assert.notEqual(out?.to.slice(0, 1), 'c')
    assert.deepEqual(plan(six, { pool: { ...somePool, sites: ['z'] }, gone: ['a-1'] }).tasks, [])
  })

  it('only rebuilds in place when the pool is not known', () => {
    const { tasks } = plan(six, { pool: undefined, gone: ['a-1'], lacks: ['b-1/2'] })
    assert.deepEqual(
      tasks.map(({ shardIndex, to }) => [shardIndex, to]),
      [[2, 'b-1']],
    )
  })

  it('spares nodes that are full', () => {
    for (const task of plan(six, { gone: ['a-1'], full: ['a-2'] }).tasks) assert.notEqual(task.to, 'a-2')
  })

  it('is most urgent for the fewest good shards, then for what the next node or site would take', () => {
    const four = plan(six, { gone: ['c-1', 'c-2'] }).urgency
    const five = plan(six, { gone: ['c-1'] }).urgency
    const stacked = plan(['a-1', 'a-1', 'a-1', 'b-1', 'b-2', 'c-1']).urgency
    const doubled = plan(['a-1', 'a-1', 'a-2', 'a-2', 'b-1', 'b-2']).urgency
    const spread = plan(six).urgency
    assert.ok(four < five && five < stacked && stacked < doubled && doubled < spread)
  })

  it('comes to an end from any placement and any liveness, in a spread that a write would be acknowledged with', () => {
    const nodeIds = [...six, 'd-1', 'd-2', 'd-3']
    const nodes = nodeIds.map((nodeId) => mapNode(nodeId))
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(seed)
      const gone = nodeIds.filter(() => random() < 0.25)
      const up = nodeIds.filter((id) => !gone.includes(id))
      if (new Set(up.map((id) => id.slice(0, 1))).size < 3 || up.length < 6) continue
      const blobId = Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0')
      const holders = Array.from({ length: 6 }, () => up[Math.floor(random() * up.length)] ?? '')
      let steps = 0
      for (;;) {
        const blob = blobOf(blobId, 1000, holders)
        const [task] = planBlob(blob, viewOf(blob, { nodes, gone })).tasks
        if (task === undefined) break
        holders[task.shardIndex] = task.to
        assert.ok(++steps <= 12, `seed ${seed} does not settle: ${holders}`)
      }
      const isUp = (id: string): boolean => !gone.includes(id)
      const verdict = judgeWrite({ map: { nodes }, pool: somePool, isUp }, holders)
      const ideal = place(placementTable({ nodes }, somePool), blobId, isUp) ?? []
      const idealVerdict = judgeWrite({ map: { nodes }, pool: somePool, isUp }, ideal)
      assert.equal(verdict.reason, idealVerdict.reason, `seed ${seed}: ${holders}`)
    }
  })
})

describe('repair backlog', () => {
  it('gives the most urgent first, the oldest among equals, each once', () => {
    const backlog = new RepairBacklog(10)
    backlog.add('x', 5)
    backlog.add('y', 1)
    backlog.add('z', 1)
    backlog.add('x', 0)
    assert.deepEqual(
      [backlog.take(), backlog.take(), backlog.take(), backlog.take()],
      ['x', 'y', 'z', undefined],
    )
  })

  it('keeps the most urgent when it is full', () => {
    const backlog = new RepairBacklog(2)
    for (const [blobId, urgency] of [
      ['a', 3],
      ['b', 2],
      ['c', 9],
      ['d', 1],
    ] as const)
      backlog.add(blobId, urgency)
    assert.equal(backlog.size, 2)
    assert.deepEqual([backlog.take(), backlog.take()], ['d', 'b'])
  })
})
