import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { shardName } from '../../node/protocol/shard-store.ts'
import { LocalCollector } from '../../node/services/gc-worker-local.ts'
import { type RepairConfig, RepairWorker, repairLimits } from '../../node/services/repair-worker.ts'
import { ScrubWorker } from '../../node/services/scrub-worker.ts'
import { GroupGauges } from '../../node/services/shard-metrics.ts'
import { SimCatalog } from './shard-catalog.ts'
import { mapNode, SimCluster, somePool } from './shard-cluster.ts'
import { SimDisk } from './shard-disk.ts'

const six = ['a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']
const size = somePool.dataShards * somePool.cellBytes * 2 + 100

class World {
  readonly cluster: SimCluster
  readonly catalog = new SimCatalog()
  readonly worker: RepairWorker
  readonly blobs: ShardedBlob[] = []
  leader = true
  #ids = 0

  private constructor(cluster: SimCluster, config: Partial<RepairConfig>) {
    this.cluster = cluster
    const { clock, metrics } = cluster
    this.worker = new RepairWorker({
      group: this.catalog.group(() => this.leader),
      caller: cluster.callerOf('a-1'),
      clock,
      random: { float: () => 0.5, hex: () => (++this.#ids).toString(16).padStart(32, '0') },
      metrics,
      gauges: new GroupGauges(metrics),
      map: () => cluster.map,
      isUp: cluster.isUp,
      poolOf: () => Promise.resolve(somePool),
      config: { repairDelayMs: 0, censusIntervalMs: 60_000, bytesPerSecond: 1e12, ...config },
    })
  }

  static async start(blobs: number, config: Partial<RepairConfig> = {}): Promise<World> {
    const world = new World(await SimCluster.start(), config)
    for (let i = 0; i < blobs; i++) {
      const holders = six.map((_, at) => six[(at + i) % 6] ?? '')
      await world.put(`${(i * 37) % 256}`, holders)
    }
    return world
  }

  async put(key: string, holders: readonly string[]): Promise<ShardedBlob> {
    const blobId = Number(key).toString(16).padStart(2, '0').repeat(8)
    const blob = await this.cluster.writeBlob(blobId, size, holders)
    await this.catalog.commit(key, blob)
    this.blobs.push(blob)
    return blob
  }

  /** A tick sees who is down (repairDelayMs is 0), then census and repair. */
  async repair(): Promise<void> {
    this.worker.tick()
    await this.worker.census()
    await this.worker.repairAll()
  }

  metric(name: string): number {
    return this.cluster.metrics.values.get(name) ?? 0
  }

  /** Every shard of every blob is at the catalog's holder with exactly its bytes. */
  async checkAll(): Promise<void> {
    for (const blob of this.blobs)
      for (const [index, holder] of this.catalog.holders(blob.blobId).entries())
        await this.cluster.checkShard(holder, blob, index)
  }
}

/** Lets everything that waits for disks and calls go on until `done`. */
async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 20_000; i++) {
    if (done()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('it did not come to that')
}

describe('repair worker', () => {
  it('finds by its census what a wiped node lacks, though the catalog says otherwise, and rebuilds it', async () => {
    const world = await World.start(20)
    await world.cluster.restart('b-1', new SimDisk())
    const counts = await world.worker.census()
    assert.equal(counts?.blobs, 20)
    assert.equal(counts?.byMissing[1], 20)
    assert.equal(world.metric('bundescloud_blobs_degraded{1}'), 20)
    await world.worker.repairAll()
    await world.checkAll()
    assert.equal(world.metric('bundescloud_repair_shards_total{rebuilt}'), 20)
    await world.worker.census()
    assert.equal(world.metric('bundescloud_blobs_degraded{1}'), 0)
    assert.equal(world.metric('bundescloud_repair_backlog_blobs'), 0)
    for (const blob of world.blobs)
      assert.deepEqual(world.catalog.holders(blob.blobId), blob.holders, 'nothing was relocated')
  })

  it('doubles up when a site is gone, moves apart when it is back, and leaves one copy of each shard', async () => {
    const world = await World.start(8)
    for (const nodeId of ['c-1', 'c-2']) world.cluster.down.add(nodeId)
    await world.repair()
    await world.checkAll()
    for (const { blobId } of world.blobs) {
      const holders = world.catalog.holders(blobId)
      assert.ok(holders.every((holder) => !holder.startsWith('c')))
      assert.ok(six.every((nodeId) => holders.filter((holder) => holder === nodeId).length <= 2))
    }
    await world.worker.census()
    assert.equal(world.metric('bundescloud_blobs_misplaced'), 0)
    world.cluster.down.clear()
    await world.worker.census()
    assert.equal(world.metric('bundescloud_blobs_misplaced'), 8)
    await world.repair()
    await world.checkAll()
    for (const { blobId } of world.blobs) assert.deepEqual([...world.catalog.holders(blobId)].sort(), six)

    const { caller, clock } = { caller: world.cluster.callerOf('x'), clock: world.cluster.clock }
    clock.advance(3_600_000)
    for (const nodeId of six) {
      const { store } = world.cluster.node(nodeId)
      const { access } = world.catalog
      const { metrics } = world.cluster
      const options = { nodeId, store, catalog: access, caller, clock, metrics, graceMs: 1, movedDelayMs: 0 }
      const collector = new LocalCollector(options)
      await collector.round()
      await collector.round()
      assert.equal((await store.list('', 1_000)).shards.length, 8, nodeId)
    }
    await world.checkAll()
  })

  it('waits for the repair delay, and does not move anything for a node that was away for a moment', async () => {
    const world = await World.start(3, { repairDelayMs: 30_000 })
    const { cluster, worker } = world
    worker.tick()
    await until(() => world.metric('bundescloud_blobs_sharded') === 3)
    cluster.down.add('c-1')
    worker.tick()
    cluster.clock.advance(repairLimits.settleMs)
    worker.tick()
    await until(() => world.metric('bundescloud_blobs_degraded{1}') === 3)
    cluster.clock.advance(20_000)
    worker.tick()
    cluster.down.clear()
    worker.tick()
    cluster.clock.advance(20_000)
    worker.tick()
    await until(() => world.metric('bundescloud_blobs_degraded{1}') === 0)
    assert.equal(world.metric('bundescloud_repair_shards_total{moved}'), 0)
    cluster.down.add('c-1')
    worker.tick()
    cluster.clock.advance(30_000)
    worker.tick()
    cluster.clock.advance(repairLimits.settleMs)
    worker.tick()
    await until(() => world.metric('bundescloud_repair_shards_total{moved}') === 3)
    await until(() => world.metric('bundescloud_repair_backlog_blobs') === 0)
    await world.checkAll()
    assert.equal(world.metric('bundescloud_blobs_degraded{1}'), 3)
    worker.tick()
    cluster.clock.advance(repairLimits.settleMs)
    worker.tick()
    await until(() => world.metric('bundescloud_blobs_degraded{1}') === 0)
  })

  it('does nothing, and shows nothing, where the group is not led', async () => {
    const world = await World.start(2)
    await world.cluster.restart('b-1', new SimDisk())
    await world.worker.census()
    world.worker.tick()
    assert.equal(world.metric('bundescloud_blobs_sharded'), 2)
    world.leader = false
    world.worker.tick()
    assert.equal(world.metric('bundescloud_blobs_sharded'), 0)
    assert.equal(world.metric('bundescloud_repair_backlog_blobs'), 0)
    assert.equal(await world.worker.census(), undefined)
  })

  it('empties a draining node, and stays within the sites of the pool', async () => {
    const world = await World.start(6)
    world.cluster.map = {
      ...world.cluster.map,
      epoch: 2,
      nodes: six.map((id) => mapNode(id, id === 'a-1' ? { state: 'draining' } : {})),
    }
    await world.repair()
    await world.checkAll()
    for (const { blobId } of world.blobs) assert.ok(!world.catalog.holders(blobId).includes('a-1'))
  })

  it('takes another target when one has no space, and withdraws its claim', async () => {
    const world = await World.start(1)
    const blob = world.blobs[0] ?? assert.fail()
    world.cluster.down.add('c-2')
    const refused: string[] = []
    world.cluster.onCall = (to, message) => {
      if (message !== 'rebuild-shard' || refused.length > 0) return
      refused.push(to)
      throw new ClusterError('NoSpace', 'full')
    }
    await world.repair()
    assert.equal(world.catalog.row(blob.blobId)?.claims, undefined)
    await world.repair()
    await world.checkAll()
    assert.ok(!refused.includes(world.catalog.holders(blob.blobId)[blob.holders.indexOf('c-2')] ?? ''))
  })

  it('waits for a node that has enough rebuilds under way, and does not give it up', async () => {
    const world = await World.start(2)
    const { cluster } = world
    await cluster.restart('b-1', new SimDisk())
    let refusals = 0
    cluster.onCall = (_, message) => {
      if (message === 'rebuild-shard' && ++refusals <= 5) throw new ClusterError('Overloaded', 'busy')
    }
    await world.worker.census()
    const ended = world.worker.repairAll()
    await until(() => {
      cluster.clock.advance(repairLimits.busyPauseMs)
      return world.metric('bundescloud_repair_shards_total{rebuilt}') === 2
    })
    await ended
    assert.equal(world.metric('bundescloud_repair_shards_total{failed}'), 0)
    await world.checkAll()
  })

  it('relocates nothing whose claim was taken over by another leader', async () => {
    const world = await World.start(1)
    const blob = world.blobs[0] ?? assert.fail()
    const shardIndex = blob.holders.indexOf('c-2')
    world.cluster.down.add('c-2')
    world.cluster.onCall = async (_, message) => {
      if (message !== 'rebuild-shard') return
      const { blobId } = blob
      const move = { blobId, generation: 1, shardIndex, from: 'c-2', to: 'b-2' }
      await world.catalog.propose({ kind: 'relocate-shard', ...move, step: 'claim', claimId: 'ff' })
    }
    await world.repair()
    assert.equal(world.catalog.holders(blob.blobId)[shardIndex], 'c-2')
    assert.equal(world.metric('bundescloud_repair_shards_total{failed}'), 1)
    assert.equal(world.catalog.row(blob.blobId)?.claims?.[0]?.claimId, 'ff')
    world.cluster.onCall = () => undefined
    await world.repair()
    await world.checkAll()
    assert.equal(world.catalog.row(blob.blobId)?.claims, undefined, 'claims of the dead are withdrawn')
  })

  it('leaves blobs alone when inventories cannot be had, and when fewer than k shards are left', async () => {
    const world = await World.start(4)
    world.cluster.onCall = (_, message) => {
      if (message === 'list-shards') throw new ClusterError('Timeout', 'slow')
    }
    const counts = await world.worker.census()
    assert.equal(counts?.byMissing[0], 4)
    assert.ok((counts?.unanswered ?? 0) > 0)
    world.cluster.onCall = () => undefined
    for (const nodeId of ['a-1', 'a-2', 'b-1']) await world.cluster.restart(nodeId, new SimDisk())
    await world.worker.census()
    assert.equal(world.metric('bundescloud_blobs_lost'), 4)
    assert.equal(world.metric('bundescloud_repair_backlog_blobs'), 0)
  })

  it('rebuilds what scrub has set aside', async () => {
    const world = await World.start(5)
    const blob = world.blobs[3] ?? assert.fail()
    const node = world.cluster.node('a-2')
    const shardIndex = blob.holders.indexOf('a-2')
    const name = shardName({ blobId: blob.blobId, shardIndex })
    const bytes = node.disk.bytesOf(`/d/shards/${name.slice(0, 2)}/${name}`)
    bytes.writeUInt8(bytes.readUInt8(700) ^ 8, 700)
    const { clock, metrics } = world.cluster
    const progress = { load: () => Promise.resolve(''), save: () => Promise.resolve() }
    const limits = { bytesPerSecond: 1e12, passMs: 0 }
    const scrub = new ScrubWorker({ store: node.store, clock, metrics, progress, ...limits })
    assert.equal(await scrub.pass(), 1)
    await world.worker.census()
    assert.equal(world.metric('bundescloud_blobs_degraded{1}'), 1)
    await world.worker.repairAll()
    await world.checkAll()
    assert.equal((await node.store.quarantined()).length, 0)
    assert.equal(await scrub.pass(), 0)
  })
})
