import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { shardName } from '../../node/protocol/shard-store.ts'
import { rebuildLimits } from '../../node/services/rebuild.ts'
import { blockBytes, headerOf, SimCluster, somePool } from './shard-cluster.ts'
import { code } from './shard-fixture.ts'

const holders = ['a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']
const blobId = '00112233445566778899aabbccddeeff'
/** A few windows and a short last cell. */
const bytes = somePool.dataShards * somePool.cellBytes * 3 + 3 * blockBytes + 5

async function written(size = bytes): Promise<{ cluster: SimCluster; blob: ShardedBlob }> {
  const cluster = await SimCluster.start()
  return { cluster, blob: await cluster.writeBlob(blobId, size, holders) }
}

function rebuild(
  cluster: SimCluster,
  on: string,
  blob: ShardedBlob,
  shardIndex: number,
  change: { sources?: readonly (string | undefined)[] } = {},
) {
  const sources = change.sources ?? blob.holders.map((holder, i) => (i === shardIndex ? undefined : holder))
  const header = headerOf(blob.blobId, shardIndex)
  return cluster.callerOf('test').call(on, 'rebuild-shard', { header, bytes: blob.bytes, sources })
}

function damage(cluster: SimCluster, nodeId: string, shardIndex: number, at: number): void {
  const name = shardName({ blobId, shardIndex })
  const data = cluster.node(nodeId).disk.bytesOf(`/d/shards/00/${name}`)
  data.writeUInt8(data.readUInt8(at) ^ 1, at)
}

describe('rebuild-shard', () => {
  it('computes every shard, data and parity, with exactly the bytes it had', async () => {
    for (const size of [1, blockBytes * 4, bytes]) {
      const { cluster, blob } = await written(size)
      for (const [shardIndex, holder] of holders.entries()) {
        await cluster.node(holder).store.remove({ blobId, shardIndex })
        const { reply } = await rebuild(cluster, holder, blob, shardIndex)
        assert.equal(reply.bytesRead, 4 * cluster.expected(blob, shardIndex).length)
        await cluster.checkShard(holder, blob, shardIndex)
      }
    }
  })

  it('spans several windows', async () => {
    const stripeBytes = somePool.dataShards * somePool.cellBytes
    const stripes = Math.ceil((rebuildLimits.windowBytes / somePool.cellBytes) * 2.5)
    const { cluster, blob } = await written(stripes * stripeBytes - 1)
    await rebuild(cluster, 'a-1', blob, 3)
    await cluster.checkShard('a-1', blob, 3)
  })

  it('works with any two shards gone, and goes on when a source dies midway', async () => {
    const { cluster, blob } = await written()
    cluster.down.add('b-1')
    await rebuild(cluster, 'a-1', blob, 1)
    await cluster.checkShard('a-1', blob, 1)
    cluster.down.clear()
    let reads = 0
    cluster.onCall = (to, message) => {
      if (message === 'read-shard' && ++reads === 2) cluster.down.add(to)
    }
    await rebuild(cluster, 'a-2', blob, 0)
    cluster.onCall = () => undefined
    await cluster.checkShard('a-2', blob, 0)
    assert.equal(cluster.down.size, 1)
  })

  it('leaves out a bad cell, and still uses the other cells of that shard', async () => {
    const { cluster, blob } = await written()
    // With shard 1 to be computed, two more bad shards are one too many, but their bad cells are in different stripes.
    damage(cluster, 'b-1', 2, 600)
    damage(cluster, 'c-1', 4, 600 + somePool.cellBytes)
    await rebuild(cluster, 'a-1', blob, 1)
    await cluster.checkShard('a-1', blob, 1)
    assert.ok(cluster.node('b-1').corrupt.includes(blobId))
  })

  it('refuses with ReadQuorumUnavailable below k shards, and leaves nothing behind', async () => {
    const { cluster, blob } = await written()
    for (const nodeId of ['b-1', 'b-2']) cluster.down.add(nodeId)
    await assert.rejects(rebuild(cluster, 'a-2', blob, 0), code('ReadQuorumUnavailable', { shards: 3 }))
    assert.equal(await cluster.node('a-2').holds(blobId, 0), false)
    assert.equal((await cluster.node('a-2').store.usage()).openShards, 0)
  })

  it('does not seal when sources fail midway', async () => {
    const { cluster, blob } = await written(
      somePool.dataShards *
        somePool.cellBytes *
        Math.ceil((rebuildLimits.windowBytes / somePool.cellBytes) * 3),
    )
    let reads = 0
    cluster.onCall = (_, message) => {
      if (message === 'read-shard' && ++reads > 6) throw new ClusterError('Timeout', 'cut')
    }
    await cluster.node('a-1').store.remove({ blobId, shardIndex: 0 })
    const sources = [undefined, 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']
    await assert.rejects(rebuild(cluster, 'a-1', blob, 0, { sources }), code('ReadQuorumUnavailable'))
    assert.equal(await cluster.node('a-1').holds(blobId, 0), false)
    assert.equal((await cluster.node('a-1').store.usage()).openShards, 0)
  })

  it('copies the shard itself from a node that has it, and computes the cells that are bad there', async () => {
    const { cluster, blob } = await written()
    const { reply } = await rebuild(cluster, 'c-2', blob, 0, { sources: blob.holders })
    assert.equal(reply.bytesRead, cluster.expected(blob, 0).length)
    await cluster.checkShard('c-2', blob, 0)
    damage(cluster, 'a-2', 1, 600)
    await rebuild(cluster, 'c-2', blob, 1, { sources: blob.holders })
    await cluster.checkShard('c-2', blob, 1)
  })

  it('renews a copy that the node has itself: a new incarnation, nothing sent over the network', async () => {
    const { cluster, blob } = await written()
    const { store } = cluster.node('a-1')
    const before = await store.find({ blobId, shardIndex: 0 })
    let calls = 0
    cluster.onCall = () => {
      calls++
    }
    await rebuild(cluster, 'a-1', blob, 0, { sources: blob.holders })
    assert.equal(calls, 1)
    const after = await store.find({ blobId, shardIndex: 0 })
    assert.ok(after.sealedMs > before.sealedMs)
    assert.equal(await store.remove({ blobId, shardIndex: 0 }, before.sealedMs), false)
    await cluster.checkShard('a-1', blob, 0)
  })

  it('never mixes generations: sources of another generation are no sources', async () => {
    const { cluster, blob } = await written()
    const header = { ...headerOf(blobId, 0), generation: 2 }
    const sources = [undefined, ...holders.slice(1)]
    const request = { header, bytes: blob.bytes, sources }
    await assert.rejects(
      cluster.callerOf('test').call('a-2', 'rebuild-shard', request),
      code('ReadQuorumUnavailable', { shards: 0 }),
    )
  })

  it('refuses codes and sizes that make no sense', async () => {
    const { cluster, blob } = await written()
    const call = (change: object, size = blob.bytes) => {
      const header = { ...headerOf(blobId, 0), ...change }
      return cluster.callerOf('test').call('a-1', 'rebuild-shard', { header, bytes: size, sources: holders })
    }
    await assert.rejects(call({ code: 'no-such-code' }), code('BadMessage'))
    await assert.rejects(call({ cellBytes: blockBytes + 1 }), code('BadMessage'))
    await assert.rejects(call({ dataShards: 5 }), code('BadMessage'))
    await assert.rejects(call({}, 0), code('BadMessage'))
    await assert.rejects(call({}, 2 ** 50), code('BadMessage'))
  })
})
