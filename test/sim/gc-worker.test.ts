import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClusterError } from '../../node/errors.ts'
import { GroupCollector } from '../../node/services/gc-worker.ts'
import { LocalCollector } from '../../node/services/gc-worker-local.ts'
import { GroupGauges } from '../../node/services/shard-metrics.ts'
import { SimCatalog } from './shard-catalog.ts'
import { blobOf, headerOf, SimCluster } from './shard-cluster.ts'
import { code } from './shard-fixture.ts'

const six = ['a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']
const blobId = 'abcdabcdabcdabcd'
const graceMs = 60_000
const movedDelayMs = 300_000

async function start() {
  const cluster = await SimCluster.start()
  const catalog = new SimCatalog()
  const { clock, metrics } = cluster
  const caller = cluster.callerOf('x')
  const local = (nodeId: string): LocalCollector => {
    const { store } = cluster.node(nodeId)
    const delays = { graceMs, movedDelayMs }
    return new LocalCollector({ nodeId, store, catalog: catalog.access, caller, clock, metrics, ...delays })
  }
  const group = new GroupCollector({
    group: catalog.group(),
    caller,
    clock,
    metrics,
    gauges: new GroupGauges(metrics),
    map: () => cluster.map,
    isUp: cluster.isUp,
    garbageDelayMs: 300_000,
  })
  const blob = await cluster.writeBlob(blobId, 1_000, six)
  const copies = async (): Promise<number> => {
    const held = await Promise.all(six.map((nodeId, index) => cluster.node(nodeId).holds(blobId, index)))
    return held.filter((has) => has).length
  }
  return { cluster, catalog, clock, metrics, local, group, blob, copies }
}

describe('garbage collection of dead blobs', () => {
  it('deletes at all holders after the readers had their time, then forgets', async () => {
    const { catalog, clock, group, blob, copies, metrics } = await start()
    await catalog.commit('k', blob)
    await group.round()
    assert.equal(await copies(), 6)
    await catalog.delete('k', clock.wallMs())
    await group.round()
    assert.equal(await copies(), 6)
    assert.equal(metrics.values.get('bundescloud_gc_garbage_blobs'), 1)
    clock.advance(300_000)
    await group.round()
    assert.equal(await copies(), 0)
    assert.equal(metrics.values.get('bundescloud_gc_garbage_blobs'), 0)
    const [answer] = await catalog.access.findBlobs('catalog-1', [blobId])
    assert.equal(answer?.state, 'abandoned')
  })

  it('does not forget while a holder has not confirmed, whether it is down or does not answer', async () => {
    const { cluster, catalog, clock, group, blob, copies } = await start()
    await catalog.commit('k', blob)
    await catalog.delete('k', clock.wallMs())
    clock.advance(300_000)
    cluster.down.add('c-1')
    await group.round()
    assert.equal(await copies(), 1)
    cluster.down.clear()
    const asked: string[] = []
    cluster.onCall = (to) => {
      asked.push(to)
      throw new ClusterError('Timeout', 'slow')
    }
    await group.round()
    assert.deepEqual(asked, ['c-1'], 'who has confirmed is not asked again')
    assert.equal((await catalog.access.findBlobs('catalog-1', [blobId]))[0]?.state, 'garbage')
    cluster.onCall = () => undefined
    await group.round()
    assert.equal(await copies(), 0)
    assert.equal((await catalog.access.findBlobs('catalog-1', [blobId]))[0]?.state, 'abandoned')
  })

  it('does not wait for a holder that has left the federation', async () => {
    const { cluster, catalog, clock, group, blob } = await start()
    await catalog.commit('k', blob)
    await catalog.delete('k', clock.wallMs())
    clock.advance(300_000)
    cluster.down.add('c-1')
    cluster.map = { ...cluster.map, nodes: cluster.map.nodes.filter(({ nodeId }) => nodeId !== 'c-1') }
    await group.round()
    assert.equal((await catalog.access.findBlobs('catalog-1', [blobId]))[0]?.state, 'abandoned')
  })

  it('forgets fences only after their time', async () => {
    const { catalog, clock, group } = await start()
    await catalog.access.abandonBlobs('catalog-1', ['00aa', '00bb'], clock.wallMs())
    await group.round()
    assert.equal((await catalog.access.findBlobs('catalog-1', ['00aa']))[0]?.state, 'abandoned')
    clock.advance(31 * 24 * 3_600_000)
    await group.round()
    assert.equal((await catalog.access.findBlobs('catalog-1', ['00aa']))[0]?.state, 'unknown')
  })
})

describe('garbage collection of a disk', () => {
  it('leaves young shards alone, then fences before it deletes: a commit that comes late is refused', async () => {
    const { catalog, clock, local, blob, copies } = await start()
    clock.advance(graceMs - 1_000)
    for (const nodeId of six) await local(nodeId).round()
    assert.equal(await copies(), 6)
    clock.advance(1_000)
    await local('a-1').round()
    assert.equal(await copies(), 5)
    await assert.rejects(catalog.commit('k', blob), code('VersionAbandoned'))
    for (const nodeId of six) await local(nodeId).round()
    assert.equal(await copies(), 0)
  })

  it('keeps what was committed between its question and the fence', async () => {
    const { catalog, clock, local, blob, copies } = await start()
    clock.advance(graceMs)
    catalog.onRequest = async (when, kind) => {
      if (kind !== 'abandon-blobs' || when !== 'before') return
      catalog.onRequest = () => undefined
      await catalog.commit('k', blob)
    }
    await local('a-1').round()
    assert.equal(await copies(), 6)
  })

  it('deletes nothing on a time-out, of the question or of the fence, even when the fence was applied', async () => {
    const { catalog, clock, local, copies, metrics } = await start()
    clock.advance(graceMs)
    for (const [at, what] of [
      ['before', 'find-blobs'],
      ['after', 'find-blobs'],
      ['before', 'abandon-blobs'],
      ['after', 'abandon-blobs'],
    ]) {
      catalog.onRequest = (when, kind) => {
        if (when === at && kind === what) throw new ClusterError('Timeout', 'slow')
      }
      await local('a-1').round()
      assert.equal(await copies(), 6, `${at} ${what}`)
    }
    assert.equal(metrics.values.get('bundescloud_shards_gc_doubts_total{catalog}'), 2)
  })

  it('keeps the shards of referenced blobs and of dead ones that readers may still read', async () => {
    const { catalog, clock, local, blob, copies } = await start()
    await catalog.commit('k', blob)
    clock.advance(3_600_000)
    for (const nodeId of six) await local(nodeId).round()
    assert.equal(await copies(), 6)
    await catalog.delete('k', clock.wallMs())
    for (const nodeId of six) await local(nodeId).round()
    assert.equal(await copies(), 6)
  })

  it('deletes a moved copy only when its holder says that it has the shard, and not at first sight', async () => {
    const { cluster, catalog, clock, local, blob } = await start()
    await catalog.commit('k', { ...blob, holders: ['a-2', ...six.slice(1)] })
    clock.advance(3_600_000)
    const collector = local('a-1')
    await collector.round()
    clock.advance(movedDelayMs)
    await collector.round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), true, 'a-2 does not have it')
    const { store } = cluster.node('a-2')
    await store.append(headerOf(blobId, 0), 0, 1, cluster.expected(blob, 0))
    await store.seal(headerOf(blobId, 0))
    cluster.down.add('a-2')
    await collector.round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), true, 'a-2 does not answer')
    cluster.down.clear()
    const fresh = local('a-1')
    await fresh.round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), true, 'seen for the first time')
    await collector.round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), false)
    assert.equal(await store.find(headerOf(blobId, 0)).then(({ cells }) => cells), 1)
  })

  it('keeps a copy for which a claim stands', async () => {
    const { cluster, catalog, clock, local, blob } = await start()
    await catalog.commit('k', { ...blob, holders: ['a-2', ...six.slice(1)] })
    const { store } = cluster.node('a-2')
    await store.append(headerOf(blobId, 0), 0, 1, cluster.expected(blob, 0))
    await store.seal(headerOf(blobId, 0))
    const move = { blobId, generation: 1, shardIndex: 0, from: 'a-2', to: 'a-1' } as const
    await catalog.propose({ kind: 'relocate-shard', ...move, step: 'claim', claimId: '01' })
    clock.advance(3_600_000)
    const collector = local('a-1')
    await collector.round()
    clock.advance(movedDelayMs)
    await collector.round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), true)
  })

  it('deletes another generation than the one referred to', async () => {
    const { cluster, catalog, clock, local } = await start()
    await catalog.commit('k', { ...blobOf(blobId, 1_000, six), generation: 2 })
    clock.advance(3_600_000)
    await local('a-1').round()
    assert.equal(await cluster.node('a-1').holds(blobId, 0), false)
  })

  it('collects quarantined copies of dead blobs, and keeps those that are still to be rebuilt', async () => {
    const { cluster, catalog, clock, local, blob } = await start()
    await catalog.commit('k', blob)
    const { store } = cluster.node('a-1')
    await store.quarantine(headerOf(blobId, 0), (await store.find(headerOf(blobId, 0))).sealedMs)
    clock.advance(3_600_000)
    await local('a-1').round()
    assert.equal((await store.quarantined()).length, 1)
    await catalog.delete('k', clock.wallMs())
    await catalog.propose({ kind: 'forget-garbage', blobIds: [blobId] })
    await local('a-1').round()
    assert.equal((await store.quarantined()).length, 0)
  })
})
