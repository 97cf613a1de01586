import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Group } from '../../node/services/replica.ts'
import { catalogGroupOf, type GroupReplica } from '../../node/services/shard-group.ts'
import { GroupGauges, MetricCounts, shardMetrics } from '../../node/services/shard-metrics.ts'
import { code } from '../sim/shard-fixture.ts'
import { openCatalog, put } from './catalog-fixture.ts'

/** Compiles only while a real replica is what the workers need. */
const isReplica: (group: Group) => GroupReplica = (group) => group

describe('catalog group of the workers', () => {
  it('reads rows and proposes as the replica does, and throws what the state machine refuses', async () => {
    const driver = openCatalog()
    driver.run(put('k', '01', ['aa', 'bb']))
    const replica: GroupReplica = {
      groupId: 'catalog-1',
      get: (key) => driver.rows.get(key),
      scan: (range) => driver.rows.scan(range),
      status: () => ({ role: 'leader' }),
      propose: (command) => Promise.resolve(driver.apply(command).reply),
    }
    assert.equal(typeof isReplica, 'function')
    const group = catalogGroupOf(replica, { float: () => 0, hex: (count) => '0'.repeat(2 * count) })
    assert.equal(group.isLeader(), true)
    const { entries } = await group.blobs({ after: '', limit: 10 })
    assert.deepEqual(
      entries.map(({ blob }) => blob.blobId),
      ['aa', 'bb'],
    )
    assert.equal(group.blob('bb')?.key, 'k')
    assert.equal(group.blob('cc'), undefined)
    assert.deepEqual(await group.propose({ kind: 'abandon-blobs', blobIds: ['aa', 'cc'], nowMs: 1 }), {
      referenced: ['aa'],
    })
    const move = { blobId: 'cc', generation: 1, shardIndex: 0, from: 'x', to: 'y' } as const
    await assert.rejects(group.propose({ kind: 'relocate-shard', ...move }), code('ShardNotFound'))
  })
})

describe('shard metrics', () => {
  it('have names of the house and labels from closed sets', () => {
    for (const [name, spec] of Object.entries(shardMetrics)) {
      assert.match(name, /^bundescloud_[a-z]+(_[a-z]+)*$/)
      assert.equal(name.endsWith('_total'), spec.type === 'counter', name)
      if ('label' in spec) assert.ok(spec.label.values.length > 1)
    }
  })

  it('show the sum over the groups that are led here, and the oldest of times', () => {
    const metrics = new MetricCounts()
    const gauges = new GroupGauges(metrics)
    gauges.set('g1', 'bundescloud_blobs_degraded', 3, '1')
    gauges.set('g2', 'bundescloud_blobs_degraded', 4, '1')
    gauges.set('g1', 'bundescloud_census_last_end_seconds', 100)
    gauges.set('g2', 'bundescloud_census_last_end_seconds', 50)
    assert.equal(metrics.values.get('bundescloud_blobs_degraded{1}'), 7)
    assert.equal(metrics.values.get('bundescloud_census_last_end_seconds'), 50)
    gauges.withdraw('g2', 'bundescloud_blobs_degraded', '1')
    gauges.withdraw('g2', 'bundescloud_census_last_end_seconds')
    assert.equal(metrics.values.get('bundescloud_blobs_degraded{1}'), 3)
    assert.equal(metrics.values.get('bundescloud_census_last_end_seconds'), 100)
    gauges.withdraw('g1', 'bundescloud_blobs_degraded', '1')
    assert.equal(metrics.values.get('bundescloud_blobs_degraded{1}'), 0)
  })
})
