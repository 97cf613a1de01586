import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MapNode, Pool } from '../../node/core/cluster-map.ts'
import { place, placementTable } from '../../node/core/placement.ts'
import { judgeWrite, sitesToSurviveOne } from '../../node/core/quorum.ts'
import { defaultPool, mapOf, nodeOf, nodesOf, upExcept } from './cluster-fixture.ts'

const sixNodes = nodesOf([2, 2, 2])

function judge(
  holders: string,
  down: readonly string[] = [],
  options: { nodes?: readonly MapNode[]; pool?: Pool } = {},
) {
  const pool = options.pool ?? defaultPool
  const list = holders.split(' ').map((nodeId) => (nodeId === '-' ? undefined : nodeId))
  return judgeWrite({ map: mapOf(options.nodes ?? sixNodes, pool), pool, isUp: upExcept(...down) }, list)
}

const table: readonly {
  name: string
  holders: string
  down?: readonly string[]
  nodes?: readonly MapNode[]
  pool?: Pool
  reason: ReturnType<typeof judgeWrite>['reason']
}[] = [
  { name: 'healthy, 2+2+2 survives any site', holders: 'a-1 a-2 b-1 b-2 c-1 c-2', reason: 'survives-site' },
  {
    name: 'one site down, 6 shards on 4 nodes survive any further node',
    holders: 'a-1 a-1 a-2 b-1 b-1 b-2',
    down: ['c'],
    reason: 'site-rule-waived',
  },
  {
    name: 'one node down, its site-mate takes two and any site may still burn',
    holders: 'a-1 a-1 b-1 b-2 c-1 c-2',
    down: ['a-2'],
    reason: 'survives-site',
  },
  {
    name: 'the same spread with all sites up is refused',
    holders: 'a-1 a-1 a-2 b-1 b-1 b-2',
    reason: 'next-site-loses',
  },
  {
    name: 'five of six durable lose too much with a site',
    holders: 'a-1 a-2 b-1 b-2 c-1 -',
    reason: 'next-site-loses',
  },
  {
    name: 'four of six durable lose too much with a node',
    holders: 'a-1 a-2 b-1 b-2 - -',
    reason: 'next-node-loses',
  },
  { name: 'nothing durable', holders: '- - - - - -', reason: 'next-node-loses' },
  {
    name: 'shards on a site that went down meanwhile do not count',
    holders: 'a-1 a-2 b-1 b-2 c-1 c-2',
    down: ['c'],
    reason: 'next-node-loses',
  },
  {
    name: 'five of six on four nodes with a site down',
    holders: 'a-1 a-2 b-1 b-2 b-2 -',
    down: ['c'],
    reason: 'next-node-loses',
  },
  {
    name: 'three on one node with a site down',
    holders: 'a-1 a-1 a-1 b-1 b-2 b-2',
    down: ['c'],
    reason: 'next-node-loses',
  },
  {
    name: 'a site and a node elsewhere down, two on each node left',
    holders: 'a-2 a-2 b-1 b-1 b-2 b-2',
    down: ['c', 'a-1'],
    reason: 'site-rule-waived',
  },
  {
    name: 'two sites down: no spread on two nodes is enough',
    holders: 'a-1 a-1 a-1 a-2 a-2 a-2',
    down: ['b', 'c'],
    reason: 'next-node-loses',
  },
  {
    name: 'a suspended holder does not count',
    holders: 'a-1 a-2 b-1 b-2 c-1 c-2',
    nodes: sixNodes.map((node) => (node.nodeId === 'c-1' ? { ...node, state: 'suspended' } : node)),
    reason: 'next-site-loses',
  },
  {
    name: 'a holder that began to drain during the write counts: it gives its shard away only when that is durable elsewhere',
    holders: 'a-1 a-2 b-1 b-2 c-1 c-2',
    nodes: sixNodes.map((node) => (node.nodeId === 'c-1' ? { ...node, state: 'draining' } : node)),
    reason: 'survives-site',
  },
  {
    name: 'a holder that the map does not know does not count',
    holders: 'a-1 a-2 b-1 b-2 c-1 x-9',
    reason: 'next-site-loses',
  },
  {
    name: 'a pool that may lie in two sites only survives a node',
    holders: 'a-1 a-1 a-2 b-1 b-1 b-2',
    pool: { ...defaultPool, sites: ['a', 'b'] },
    reason: 'site-rule-waived',
  },
  {
    name: 'a site whose nodes all drain takes no shards, so it is not counted as up',
    holders: 'a-1 a-1 a-2 b-1 b-1 b-2',
    nodes: sixNodes.map((node) => (node.site === 'c' ? { ...node, state: 'draining' } : node)),
    reason: 'site-rule-waived',
  },
  {
    name: 'gateways and witnesses in a third site do not make it a place for shards',
    holders: 'a-1 a-1 a-2 b-1 b-1 b-2',
    nodes: [...nodesOf([2, 2]), nodeOf('c-1', { roles: ['catalog', 'witness'] })],
    reason: 'site-rule-waived',
  },
  {
    name: 'without parity nothing survives a node',
    holders: 'a-1 a-2 b-1 b-2',
    pool: { ...defaultPool, parityShards: 0 },
    reason: 'next-node-loses',
  },
]

for (const row of table) {
  test(`write quorum: ${row.name}`, () => {
    const options = {
      ...(row.nodes === undefined ? {} : { nodes: row.nodes }),
      ...(row.pool === undefined ? {} : { pool: row.pool }),
    }
    const verdict = judge(row.holders, row.down, options)
    assert.equal(verdict.reason, row.reason)
    assert.equal(verdict.acknowledge, row.reason === 'survives-site' || row.reason === 'site-rule-waived')
  })
}

test('the number of sites that surviving one takes', () => {
  assert.equal(sitesToSurviveOne({ dataShards: 4, parityShards: 2 }), 3)
  assert.equal(sitesToSurviveOne({ dataShards: 2, parityShards: 1 }), 3)
  assert.equal(sitesToSurviveOne({ dataShards: 3, parityShards: 3 }), 2)
  assert.equal(sitesToSurviveOne({ dataShards: 8, parityShards: 3 }), 4)
  assert.equal(sitesToSurviveOne({ dataShards: 4, parityShards: 0 }), Number.POSITIVE_INFINITY)
})

/** The rule in its own words: burn each node and each site in turn and count what is left. */
function oracle(
  nodes: readonly MapNode[],
  pool: Pool,
  up: ReadonlySet<string>,
  holders: readonly string[],
): boolean {
  const alive = holders.filter((nodeId) => up.has(nodeId))
  const site = new Map(nodes.map((node) => [node.nodeId, node.site]))
  const nodesOk = nodes.every(
    (node) => alive.filter((nodeId) => nodeId !== node.nodeId).length >= pool.dataShards,
  )
  const sites = [...new Set(nodes.map((node) => node.site))]
  const sitesOk = sites.every(
    (burnt) => alive.filter((nodeId) => site.get(nodeId) !== burnt).length >= pool.dataShards,
  )
  const sitesUp = sites.filter((name) => nodes.some((node) => node.site === name && up.has(node.nodeId)))
  // Could any number of shards per site, spread over the sites that are up, survive one of them?
  const shards = pool.dataShards + pool.parityShards
  const feasible = sitesUp.length > 0 && shards - Math.ceil(shards / sitesUp.length) >= pool.dataShards
  return nodesOk && (sitesOk || !feasible)
}

/** All multisets of `count` nodes. */
function* choices(nodes: readonly string[], count: number): Generator<string[]> {
  if (count === 0) yield []
  else
    for (const [at, nodeId] of nodes.entries()) {
      for (const rest of choices(nodes.slice(at), count - 1)) yield [nodeId, ...rest]
    }
}

test('the rule agrees with burning every node and site, and placement reaches a yes wherever one exists', () => {
  let acknowledged = 0
  let refused = 0
  for (const pool of [
    defaultPool,
    { ...defaultPool, dataShards: 2, parityShards: 1 },
    { ...defaultPool, dataShards: 2, parityShards: 2 },
  ]) {
    for (const perSite of [[2, 2, 2], [1, 2, 2], [3, 1, 1], [1, 1, 1], [2, 2], [4], [1, 1, 1, 1]]) {
      const nodes = nodesOf(perSite)
      for (let outage = 0; outage < 1 << nodes.length; outage += 1) {
        const up = new Set(nodes.filter((_, at) => (outage & (1 << at)) === 0).map((node) => node.nodeId))
        const view = { map: mapOf(nodes, pool), pool, isUp: (nodeId: string) => up.has(nodeId) }
        let possible = false
        for (const holders of choices([...up], pool.dataShards + pool.parityShards)) {
          const verdict = judgeWrite(view, holders)
          assert.equal(
            verdict.acknowledge,
            oracle(nodes, pool, up, holders),
            `${perSite} up ${[...up]}: ${holders}`,
          )
          possible ||= verdict.acknowledge
          if (verdict.acknowledge) acknowledged += 1
          else refused += 1
        }
        const placed = place(placementTable(view.map, pool), `b10b${outage}`, view.isUp)
        assert.equal(
          placed !== undefined && judgeWrite(view, placed).acknowledge,
          possible,
          `${perSite} up ${[...up]}`,
        )
      }
    }
  }
  assert.ok(acknowledged > 100 && refused > 100)
})
