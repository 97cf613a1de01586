import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MapNode, Pool } from '../../node/core/cluster-map.ts'
import { place, placementTable, substitutesFor } from '../../node/core/placement.ts'
import { judgeWrite } from '../../node/core/quorum.ts'
import { defaultPool, mapOf, nodeOf, nodesOf, siteOf, spread, upExcept } from './cluster-fixture.ts'

const blobs = Array.from({ length: 200 }, (_, at) => `b10b${at.toString(16).padStart(28, '0')}`)

function placeOn(
  nodes: readonly MapNode[],
  blobId: string,
  options: { pool?: Pool; up?: (id: string) => boolean } = {},
) {
  const pool = options.pool ?? defaultPool
  return place(placementTable(mapOf(nodes, pool), pool), blobId, options.up ?? (() => true))
}

/** Site counts and node counts of a placement, most first. */
function shape(holders: readonly string[] | undefined): { sites: number[]; nodes: number[] } {
  assert.ok(holders !== undefined)
  return { sites: spread(holders.map(siteOf)), nodes: spread(holders) }
}

test('the default federation gets two shards per site and one per node', () => {
  for (const blobId of blobs) {
    assert.deepEqual(shape(placeOn(nodesOf([2, 2, 2]), blobId)), {
      sites: [2, 2, 2],
      nodes: [1, 1, 1, 1, 1, 1],
    })
  }
})

test('one site down: six shards on four nodes, two, two, one, one, three per site', () => {
  for (const blobId of blobs) {
    for (const site of ['a', 'b', 'c']) {
      const holders = placeOn(nodesOf([2, 2, 2]), blobId, { up: upExcept(site) })
      assert.deepEqual(shape(holders), { sites: [3, 3], nodes: [2, 2, 1, 1] })
    }
  }
})

test('one node down: its site-mate takes two, and nobody else moves', () => {
  for (const blobId of blobs) {
    const healthy = placeOn(nodesOf([2, 2, 2]), blobId) ?? []
    const holders = placeOn(nodesOf([2, 2, 2]), blobId, { up: upExcept('b-1') }) ?? []
    assert.deepEqual(
      holders,
      healthy.map((nodeId) => (nodeId === 'b-1' ? 'b-2' : nodeId)),
    )
  }
})

test('a site and a node elsewhere down: two shards on each of the three nodes left', () => {
  for (const blobId of blobs) {
    const holders = placeOn(nodesOf([2, 2, 2]), blobId, { up: upExcept('c', 'a-1') })
    assert.deepEqual(shape(holders).nodes, [2, 2, 2])
  }
})

test('nobody up, or nobody in the map: no placement', () => {
  assert.equal(placeOn(nodesOf([2, 2, 2]), 'ab', { up: () => false }), undefined)
  assert.equal(placeOn([], 'ab'), undefined)
})

/** All ways to put `shards` on `nodes` counts, for the oracle. */
function* distributions(nodes: number, shards: number): Generator<number[]> {
  if (nodes === 0) {
    if (shards === 0) yield []
    return
  }
  for (let count = 0; count <= shards; count += 1) {
    for (const rest of distributions(nodes - 1, shards - count)) yield [count, ...rest]
  }
}

test('the spread is the best that any distribution reaches, in every small cluster and outage', () => {
  const pools: Pool[] = [
    defaultPool,
    { ...defaultPool, dataShards: 2, parityShards: 1 },
    { ...defaultPool, dataShards: 3, parityShards: 2 },
  ]
  const clusters = [
    [1],
    [2],
    [1, 1],
    [2, 1],
    [3, 2],
    [1, 1, 1],
    [2, 2, 1],
    [2, 2, 2],
    [3, 1, 1],
    [1, 2, 3],
    [1, 1, 1, 1],
    [2, 1, 1, 2],
  ]
  let cases = 0
  for (const pool of pools) {
    for (const perSite of clusters) {
      const nodes = nodesOf(perSite)
      const table = placementTable(mapOf(nodes, pool), pool)
      for (let outage = 0; outage < 1 << nodes.length; outage += 1) {
        const up = nodes.filter((_, at) => (outage & (1 << at)) === 0)
        if (up.length === 0) continue
        const isUp = (nodeId: string) => up.some((node) => node.nodeId === nodeId)
        const best = bestSpread(up, pool)
        for (const blobId of blobs.slice(0, 4)) {
          const holders = place(table, blobId, isUp) ?? []
          assert.equal(holders.length, pool.dataShards + pool.parityShards)
          assert.ok(holders.every(isUp))
          const reached = measure(holders, up, pool)
          assert.deepEqual(reached, best, `${perSite} outage ${outage.toString(2)}: ${holders}`)
          cases += 1
        }
      }
    }
  }
  assert.ok(cases > 1000)
})

/** [most in a site above m, when enough sites are up; most on a node]: smaller is better, in this order. */
function measure(holders: readonly string[], up: readonly MapNode[], pool: Pool): [number, number] {
  const sites = new Set(up.map((node) => node.site)).size
  const limited = sites * pool.parityShards >= pool.dataShards + pool.parityShards
  const inSite = spread(holders.map(siteOf))[0] ?? 0
  return [limited ? Math.max(0, inSite - pool.parityShards) : 0, spread(holders)[0] ?? 0]
}

function bestSpread(up: readonly MapNode[], pool: Pool): [number, number] {
  let best: [number, number] | undefined
  for (const counts of distributions(up.length, pool.dataShards + pool.parityShards)) {
    const holders = counts.flatMap((count, at) => new Array<string>(count).fill(up[at]?.nodeId ?? ''))
    const reached = measure(holders, up, pool)
    if (best === undefined || reached[0] < best[0] || (reached[0] === best[0] && reached[1] < best[1]))
      best = reached
  }
  assert.ok(best !== undefined)
  return best
}

test('draining and suspended nodes, and nodes without the shard role, get nothing', () => {
  const nodes = [
    ...nodesOf([2, 2, 2]),
    nodeOf('a-3', { state: 'draining' }),
    nodeOf('b-3', { state: 'suspended' }),
    nodeOf('c-3', { roles: ['catalog', 'witness'] }),
  ]
  const table = placementTable(mapOf(nodes), defaultPool)
  for (const blobId of blobs) {
    const holders = place(table, blobId, upExcept('a-1', 'b-1', 'c')) ?? []
    assert.deepEqual([...new Set(holders)].sort(), ['a-2', 'b-2'])
    const substitutes = substitutesFor(table, { blobId, holders, shardIndex: 0 }, () => true)
    assert.ok(substitutes.every((nodeId) => !nodeId.endsWith('-3')))
  }
})

test('residency is never left: shards stay in the sites of the pool, or there is no placement', () => {
  const pool = { ...defaultPool, sites: ['a', 'b'] }
  for (const blobId of blobs) {
    const holders = placeOn(nodesOf([2, 2, 2]), blobId, { pool }) ?? []
    assert.deepEqual(shape(holders), { sites: [3, 3], nodes: [2, 2, 1, 1] })
    assert.ok(holders.every((nodeId) => siteOf(nodeId) !== 'c'))
    assert.equal(placeOn(nodesOf([2, 2, 2]), blobId, { pool, up: upExcept('a', 'b') }), undefined)
    const table = placementTable(mapOf(nodesOf([2, 2, 2]), pool), pool)
    assert.ok(
      !substitutesFor(table, { blobId, holders, shardIndex: 1 }, () => true).some((id) => siteOf(id) === 'c'),
    )
  }
})

test('a holder that fails in mid-write is replaced in its own site first, then where the fewest shards are', () => {
  const nodes = nodesOf([3, 3, 3])
  const table = placementTable(mapOf(nodes), defaultPool)
  for (const blobId of blobs) {
    const holders = place(table, blobId, () => true) ?? []
    const failed = holders[2] ?? ''
    const [first] = substitutesFor(table, { blobId, holders, shardIndex: 2 }, upExcept(failed))
    assert.ok(first !== undefined && !holders.includes(first))
    assert.equal(siteOf(first), siteOf(failed))
    const repaired = holders.map((nodeId, index) => (index === 2 ? first : nodeId))
    assert.deepEqual(shape(repaired).sites, [2, 2, 2])
  }
})

test('substitutes one after another reach an acknowledgeable spread whenever placement from the start would', () => {
  const nodes = nodesOf([2, 2, 2])
  const table = placementTable(mapOf(nodes), defaultPool)
  const outages = [['a-1'], ['a'], ['a-1', 'b-1'], ['b', 'c-2'], ['a-1', 'b-1', 'c-1']]
  for (const blobId of blobs.slice(0, 50)) {
    for (const down of outages) {
      const isUp = upExcept(...down)
      const holders = [...(place(table, blobId, () => true) ?? [])]
      holders.forEach((nodeId, shardIndex) => {
        if (!isUp(nodeId))
          holders[shardIndex] = substitutesFor(table, { blobId, holders, shardIndex }, isUp)[0] ?? ''
      })
      const view = { map: mapOf(nodes), pool: defaultPool, isUp }
      const fresh = place(table, blobId, isUp) ?? []
      assert.equal(judgeWrite(view, holders).reason, judgeWrite(view, fresh).reason, `${down}`)
      assert.ok(judgeWrite(view, holders).acknowledge, `${down}: ${holders}`)
    }
  }
})

/** Shards that `after` has elsewhere than `before`; indices do not matter. */
function moved(before: readonly string[], after: readonly string[]): number {
  const left = [...before]
  for (const nodeId of after) {
    const at = left.indexOf(nodeId)
    if (at >= 0) left.splice(at, 1)
  }
  return left.length
}

test('a node that joins one of many moves little more than its own share', () => {
  const before = nodesOf([4, 4, 4, 4, 4, 4, 4, 4])
  const after = [...before, nodeOf('d-5')]
  let moves = 0
  let gained = 0
  const many = Array.from({ length: 2000 }, (_, at) => `cafe${at}`)
  for (const blobId of many) {
    const old = placeOn(before, blobId) ?? []
    const now = placeOn(after, blobId) ?? []
    moves += moved(old, now)
    gained += now.filter((nodeId) => nodeId === 'd-5').length
  }
  const share = (many.length * 6) / after.length
  assert.ok(gained > share * 0.7 && gained < share * 1.3, `gained ${gained}, share ${share}`)
  assert.ok(moves <= gained * 1.5, `moved ${moves}, gained ${gained}`)
})

test('a node that is down moves only its own shards', () => {
  const nodes = nodesOf([3, 3, 3, 3])
  for (const blobId of blobs) {
    const healthy = placeOn(nodes, blobId) ?? []
    const degraded = placeOn(nodes, blobId, { up: upExcept('b-2') }) ?? []
    healthy.forEach((nodeId, index) => {
      if (nodeId !== 'b-2') assert.equal(degraded[index], nodeId)
    })
    assert.ok(!degraded.includes('b-2'))
  }
})

test('where there is a choice, shards follow capacity', () => {
  const nodes = nodesOf([4, 4, 4]).map((node) =>
    node.nodeId.endsWith('-1') ? { ...node, capacityBytes: 3e12 } : node,
  )
  const counts = new Map<string, number>()
  for (let at = 0; at < 3000; at += 1) {
    for (const nodeId of placeOn(nodes, `beef${at}`) ?? []) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
  }
  for (const site of ['a', 'b', 'c']) {
    const big = counts.get(`${site}-1`) ?? 0
    const small = [2, 3, 4].map((at) => counts.get(`${site}-${at}`) ?? 0)
    // Two of four without replacement, weights 3:1:1:1: the big one is in 80 % of the pairs, each small one in 40 %.
    assert.ok(big > 2250 && big < 2550, `${site}-1 has ${big}`)
    for (const count of small) assert.ok(count > 1050 && count < 1350, `${site}: ${small}`)
  }
})

test('equal nodes get equal shares', () => {
  const counts = new Map<string, number>()
  const nodes = nodesOf([3, 3, 3, 3])
  for (let at = 0; at < 4000; at += 1) {
    for (const nodeId of placeOn(nodes, `feed${at}`) ?? []) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
  }
  for (const node of nodes) {
    const count = counts.get(node.nodeId) ?? 0
    assert.ok(count > 1850 && count < 2150, `${node.nodeId} has ${count}`)
  }
})

test('placements never change for a given map: golden values', () => {
  assert.deepEqual(
    placeOn(nodesOf([2, 2, 2]), '00112233445566778899aabbccddeeff'),
    'a-1 c-1 b-1 a-2 c-2 b-2'.split(' '),
  )
  assert.deepEqual(
    placeOn(nodesOf([3, 3, 3, 3]), '00112233445566778899aabbccddeeff'),
    'a-1 d-3 c-3 b-3 a-3 d-1'.split(' '),
  )
})
