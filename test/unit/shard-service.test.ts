import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openShardFiles } from '../../node/io/shard-files.ts'
import type { Handler, MessageName, Requests } from '../../node/protocol/messages.ts'
import { type ShardKey, shardName } from '../../node/protocol/shard-store.ts'
import { MetricCounts } from '../../node/services/shard-metrics.ts'
import { type ShardHandlers, ShardService, shardServiceLimits } from '../../node/services/shard-service.ts'
import { SimDisk } from '../sim/shard-disk.ts'
import { code, frames, someHeader, TestClock } from '../sim/shard-fixture.ts'

async function fixture() {
  const disk = new SimDisk()
  const clock = new TestClock()
  const metrics = new MetricCounts()
  const corrupt: ShardKey[] = []
  const store = await openShardFiles({ root: '/disk', disk, clock, onFatal: (error) => assert.fail(error) })
  const service = new ShardService({ store, clock, metrics, onCorrupt: (key) => corrupt.push(key) })
  const call = async <M extends MessageName & keyof ShardHandlers>(
    message: M,
    request: Requests[M],
    body?: Buffer,
  ) =>
    (service.handlers[message] as unknown as Handler<M>)(request, {
      from: 'gw-1',
      body,
      timeoutMs: 0,
      signal: new AbortController().signal,
    })
  const write = (firstCell: number, cellCount: number, seal: boolean, body?: Buffer) =>
    call('write-shard', { header: someHeader, firstCell, cellCount, seal }, body)
  return { disk, clock, metrics, corrupt, store, service, call, write }
}

const first = frames(someHeader, 0, 2)
const last = frames(someHeader, 2, 2, { lastBytes: 5 })

describe('shard service', () => {
  it('writes, seals and reads a shard by its messages', async () => {
    const { call, write, metrics } = await fixture()
    assert.deepEqual((await write(0, 2, false, first)).reply, { sealed: false })
    assert.deepEqual((await write(2, 2, true, last)).reply, { sealed: true })
    const { blobId, shardIndex, generation } = someHeader
    const request = { blobId, shardIndex, generation, firstCell: 1, cellCount: 9 }
    const { reply, body } = await call('read-shard', request)
    assert.deepEqual(reply, { cellCount: 3 })
    assert.deepEqual(Buffer.concat(body ?? []), Buffer.concat([frames(someHeader, 1, 1), last]))
    assert.equal(metrics.values.get('bundescloud_shards_written_bytes_total'), first.length + last.length)
  })

  it('answers the repetition of a sealing request as it answered the first', async () => {
    const { write } = await fixture()
    await write(0, 2, false, first)
    await write(2, 2, true, last)
    assert.deepEqual((await write(2, 2, true, last)).reply, { sealed: true })
    assert.deepEqual((await write(4, 0, true)).reply, { sealed: true })
  })

  it('does not take another seal for a repetition: other bytes, or another number of cells', async () => {
    const { write } = await fixture()
    await write(0, 2, false, first)
    await write(2, 2, true, last)
    const other = frames(someHeader, 2, 2, { lastBytes: 5, salt: 1 })
    await assert.rejects(write(2, 2, true, other), code('ShardNotFound'))
    await assert.rejects(write(2, 1, true, frames(someHeader, 2, 1)), code('ShardNotFound'))
    await assert.rejects(write(3, 0, true), code('ShardNotFound'))
    await assert.rejects(write(2, 2, false, last), code('ShardNotFound'))
  })

  it('refuses a body without cells and cells without a body', async () => {
    const { write } = await fixture()
    await assert.rejects(write(0, 2, true), code('BadMessage'))
    await assert.rejects(write(0, 0, false, first), code('BadMessage'))
    await assert.rejects(write(0, 3, false, first), code('BadMessage'))
  })

  it('refuses writes beyond the bytes that may wait for the disk, and takes them again later', async () => {
    const { write, metrics } = await fixture()
    const huge = Buffer.alloc(shardServiceLimits.writeBytesMax)
    const waiting = write(0, 2, false, first)
    await assert.rejects(write(0, 2, false, huge), code('Overloaded'))
    await waiting
    assert.equal(metrics.values.get('bundescloud_shards_refused_total{bytes}'), 1)
    await assert.rejects(write(0, 2, false, huge), code('BadMessage'))
  })

  it('reports a shard whose cell is bad and sends none of the run', async () => {
    const { call, write, disk, corrupt, metrics } = await fixture()
    await write(0, 2, false, first)
    await write(2, 2, true, last)
    const bytes = disk.bytesOf(`/disk/shards/0a/${shardName(someHeader)}`)
    bytes.writeUInt8(bytes.readUInt8(800) ^ 4, 800)
    const { blobId, shardIndex, generation } = someHeader
    const read = (firstCell: number) =>
      call('read-shard', { blobId, shardIndex, generation, firstCell, cellCount: 2 })
    await assert.rejects(read(0), code('ShardCorrupt', { cell: 1 }))
    assert.deepEqual(corrupt, [{ blobId, shardIndex }])
    assert.equal(metrics.values.get('bundescloud_shards_corrupt_total{read}'), 1)
    assert.deepEqual((await read(2)).reply, { cellCount: 2 })
  })

  it('lists shards of one group with a cursor that passes those of others', async () => {
    const { call, store } = await fixture()
    for (const [i, groupId] of ['a', 'b', 'b', 'a', 'b'].entries()) {
      const header = { ...someHeader, blobId: `0000000${i}`, groupId }
      await store.append(header, 0, 1, frames(header, 0, 1))
      await store.seal(header)
    }
    const seen: string[] = []
    let after = ''
    for (;;) {
      const { reply } = await call('list-shards', { after, limit: 2, groupId: 'a' })
      seen.push(...reply.shards.map(({ header }) => header.blobId))
      if (!reply.truncated) break
      after = reply.next ?? assert.fail('truncated without a cursor')
    }
    assert.deepEqual(seen, ['00000000', '00000003'])
    const { reply } = await call('list-shards', { after: '00000000.~', until: '00000002.~', limit: 9 })
    assert.deepEqual(
      reply.shards.map(({ header }) => header.blobId),
      ['00000001', '00000002'],
    )
  })

  it('deletes what is there, only the incarnation named, and counts it', async () => {
    const { call, write, store } = await fixture()
    await write(0, 2, true, first)
    const { blobId, shardIndex } = someHeader
    const { sealedMs } = await store.find(someHeader)
    const stale = [{ blobId, shardIndex, sealedMs: sealedMs - 1 }]
    assert.deepEqual((await call('delete-shards', { shards: stale })).reply, { deleted: 0 })
    const shards = [
      { blobId, shardIndex },
      { blobId, shardIndex: 0 },
    ]
    assert.deepEqual((await call('delete-shards', { shards })).reply, { deleted: 1 })
    const evil = [{ blobId: '../../x', shardIndex: 0 }]
    await assert.rejects(call('delete-shards', { shards: evil }), code('BadMessage'))
    const nothing = [null] as unknown as typeof evil
    await assert.rejects(call('delete-shards', { shards: nothing }), code('BadMessage'))
    const tooMany = Array.from({ length: 1_001 }, () => ({ blobId, shardIndex }))
    await assert.rejects(call('delete-shards', { shards: tooMany }), code('BadMessage'))
  })

  it('aborts on request, and sweeps what its writer left', async () => {
    const { call, write, service, clock, metrics } = await fixture()
    await write(0, 2, false, first)
    await call('abort-shard', { blobId: someHeader.blobId, shardIndex: someHeader.shardIndex })
    await assert.rejects(write(2, 2, true, last), code('ShardNotFound'))
    await write(0, 2, false, first)
    clock.advance(3_600_000)
    await service.sweep()
    assert.equal(metrics.values.get('bundescloud_shards_aborted_total{idle}'), 1)
    assert.equal(metrics.values.get('bundescloud_shards_open'), 0)
  })
})
