import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planShape, type Shape } from '../../../ops/dev/shape.ts'

function siteOf(shape: Shape, nodeId: string): string {
  return shape.nodes.find((node) => node.nodeId === nodeId)?.site ?? assert.fail(`no node ${nodeId}`)
}

test('the default federation has six nodes on the three founding sites, three catalog groups and 4+2', () => {
  const shape = planShape({ sites: 3, nodesPerSite: 2 })
  assert.deepEqual(
    shape.nodes.map((node) => `${node.nodeId}@${node.site}`),
    [
      'bund-1@bund-berlin',
      'bund-2@bund-berlin',
      'by-1@by-muenchen',
      'by-2@by-muenchen',
      'nw-1@nw-duesseldorf',
      'nw-2@nw-duesseldorf',
    ],
  )
  assert.deepEqual(
    shape.groups.map((group) => group.groupId),
    ['registry', 'catalog-1', 'catalog-2', 'catalog-3'],
  )
  assert.equal(shape.slots.length, 256)
  assert.deepEqual(
    { k: shape.pool.dataShards, m: shape.pool.parityShards, cell: shape.pool.cellBytes },
    { k: 4, m: 2, cell: 262_272 },
  )
  assert.deepEqual(shape.warnings, [])
})

test('in every possible shape each group spreads over as many sites as it can, and nodes carry even loads', () => {
  for (let sites = 1; sites <= 8; sites += 1) {
    for (let nodesPerSite = 1; nodesPerSite <= 3; nodesPerSite += 1) {
      if (sites * nodesPerSite < 3) continue
      const shape = planShape({ sites, nodesPerSite })
      const load = new Map<string, number>()
      for (const group of shape.groups) {
        const members = group.members.map((member) => member.nodeId)
        assert.equal(
          new Set(members).size,
          members.length,
          `${sites}x${nodesPerSite} ${group.groupId} repeats a node`,
        )
        assert.equal(members.length % 2, 1)
        const used = new Set(members.map((nodeId) => siteOf(shape, nodeId)))
        assert.equal(
          used.size,
          Math.min(sites, members.length),
          `${sites}x${nodesPerSite} ${group.groupId} sites`,
        )
        for (const nodeId of members) load.set(nodeId, (load.get(nodeId) ?? 0) + 1)
      }
      const loads = shape.nodes.map((node) => load.get(node.nodeId) ?? 0)
      assert.ok(
        Math.max(...loads) - Math.min(...loads) <= 2,
        `${sites}x${nodesPerSite} loads ${loads.join(' ')}`,
      )
      assert.ok(shape.slots.every((groupId) => shape.groups.some((group) => group.groupId === groupId)))
    }
  }
})

test('from three sites on, the shards left after the loss of any site are enough to read', () => {
  for (let sites = 3; sites <= 8; sites += 1) {
    const { pool } = planShape({ sites, nodesPerSite: 1 })
    const total = pool.dataShards + pool.parityShards
    assert.ok(total - Math.ceil(total / sites) >= pool.dataShards, `${sites} sites`)
  }
})

test('a shape that survives less than a site says so, and one that can store nothing is refused', () => {
  assert.match(planShape({ sites: 1, nodesPerSite: 3 }).warnings.join(), /its loss loses everything/)
  assert.match(planShape({ sites: 2, nodesPerSite: 2 }).warnings.join(), /until it returns/)
  assert.throws(() => planShape({ sites: 1, nodesPerSite: 1 }), /every write would be refused/)
  assert.throws(() => planShape({ sites: 0, nodesPerSite: 2 }), /--sites must be 1 to 17/)
  assert.throws(() => planShape({ sites: 3, nodesPerSite: 0 }), /--nodes-per-site/)
  assert.throws(() => planShape({ sites: 17, nodesPerSite: 4 }), /at most 24/)
})
