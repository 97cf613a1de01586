import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from '@node-rs/crc32'
import { BlobReader } from '../../gateway/object/blob-reader.ts'
import { BlobWriter } from '../../gateway/object/blob-writer.ts'
import { Codecs } from '../../gateway/object/codecs.ts'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { BlobCluster, testPool } from './blob-cluster.ts'

const SEGMENT_BYTES = 700

const quiet = { onSiteRuleWaived: () => undefined, onHolderReplaced: () => undefined }

interface Written {
  readonly plain: Buffer
  readonly dataKey: Buffer
  readonly blob: ShardedBlob
}

async function* chunksOf(plain: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < plain.length; ) {
    const next = at + randomInt(1, 5000)
    yield plain.subarray(at, next)
    at = next
  }
}

async function write(cluster: BlobCluster, plain: Buffer): Promise<Written> {
  const dataKey = randomBytes(32)
  const blob = await new BlobWriter(cluster.client, new Codecs(), quiet).write({
    blobId: randomBytes(16).toString('hex'),
    groupId: 'catalog-1',
    pool: testPool,
    dataKey,
    segmentBytes: SEGMENT_BYTES,
    plainBytes: plain.length,
    chunks: chunksOf(plain),
    signal: undefined,
  })
  return { plain, dataKey, blob }
}

async function read(
  cluster: BlobCluster,
  written: Written,
  range = { firstByte: 0, lastByte: written.plain.length - 1 },
): Promise<{ bytes: Buffer; degraded: number }> {
  let degraded = 0
  const reader = new BlobReader(cluster.client, new Codecs(), () => {
    degraded++
  })
  const source = {
    blob: written.blob,
    blobId: written.blob.blobId,
    dataKey: written.dataKey,
    segmentBytes: SEGMENT_BYTES,
    plainBytes: written.plain.length,
    signal: undefined,
  }
  const pieces: Buffer[] = []
  for await (const piece of reader.read(source, range)) pieces.push(piece)
  return { bytes: Buffer.concat(pieces), degraded }
}

const failsWith = (code: string) => (error: unknown) => error instanceof ClusterError && error.code === code

test('blobs of every size come back whole, and any range of them', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  for (const bytes of [1, 63, 64, 700, 701, 4096, 4097, 20_000, 131_072]) {
    const written = await write(cluster, randomBytes(bytes))
    assert.ok((await read(cluster, written)).bytes.equals(written.plain), `${bytes} bytes`)
    for (let i = 0; i < 8; i++) {
      const firstByte = randomInt(bytes)
      const lastByte = randomInt(firstByte, bytes)
      const { bytes: got } = await read(cluster, written, { firstByte, lastByte })
      assert.ok(
        got.equals(written.plain.subarray(firstByte, lastByte + 1)),
        `${firstByte}-${lastByte} of ${bytes}`,
      )
    }
  }
})

test('a healthy read asks k holders and no parity', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(50_000))
  cluster.calls.length = 0
  assert.equal((await read(cluster, written)).degraded, 0)
  const asked = new Set(cluster.calls.map((call) => call.to))
  assert.deepEqual([...asked].sort(), written.blob.holders.slice(0, 4).sort())
})

test('any site may be down while a blob is read', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(30_000))
  for (const site of ['a', 'b', 'c']) {
    cluster.down.add(`${site}-1`).add(`${site}-2`)
    assert.ok((await read(cluster, written)).bytes.equals(written.plain))
    const range = { firstByte: 12_345, lastByte: 12_399 }
    assert.ok((await read(cluster, written, range)).bytes.equals(written.plain.subarray(12_345, 12_400)))
    cluster.down.clear()
  }
})

test('holders that fail though they seem up are replaced', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(100_000))
  const victims = new Set(written.blob.holders.slice(1, 3))
  cluster.fault = async ({ to }) => {
    if (victims.has(to)) throw new ClusterError('PeerUnreachable', 'gone')
    return undefined
  }
  const { bytes, degraded } = await read(cluster, written)
  assert.ok(bytes.equals(written.plain))
  assert.ok(degraded > 0)
})

test('a holder that never answers is hedged', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(10_000))
  const silent = written.blob.holders[0]
  cluster.fault = ({ to }) => (to === silent ? new Promise(() => undefined) : Promise.resolve(undefined))
  assert.ok((await read(cluster, written)).bytes.equals(written.plain))
})

test('a holder that lies with a right checksum is found out and outvoted', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(9_000))
  const liar = written.blob.holders[2]
  cluster.fault = async ({ to, request }) => {
    if (to !== liar) return undefined
    const { firstCell } = request as { firstCell: number }
    return (body) => {
      body[100] = (body[100] ?? 0) ^ 0xff
      const cellBytes = Math.min(testPool.cellBytes, body.length - 8)
      body.writeUInt32LE(crc32(body.subarray(0, cellBytes), firstCell), cellBytes)
      return body
    }
  }
  const { bytes, degraded } = await read(cluster, written)
  assert.ok(bytes.equals(written.plain))
  assert.ok(degraded > 0)
})

test('with fewer than k shards a read fails and yields no wrong byte', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  const written = await write(cluster, randomBytes(9_000))
  for (const nodeId of written.blob.holders.slice(0, 3)) cluster.down.add(nodeId)
  await assert.rejects(read(cluster, written), failsWith('ReadQuorumUnavailable'))
})

test('a site that is down before a write gets no shard, and the blob survives a further node', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  cluster.down.add('b-1').add('b-2')
  const written = await write(cluster, randomBytes(40_000))
  assert.ok(written.blob.holders.every((nodeId) => !nodeId.startsWith('b')))
  for (const nodeId of ['a-1', 'a-2', 'c-1', 'c-2']) {
    cluster.down.add(nodeId)
    assert.ok((await read(cluster, written)).bytes.equals(written.plain), `without ${nodeId}`)
    cluster.down.delete(nodeId)
  }
})

test('holders that refuse their first cell are replaced at once', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  cluster.fault = async ({ to, message }) => {
    if (message === 'write-shard' && to === 'c-2') throw new ClusterError('NoSpace', 'disk full')
    return undefined
  }
  const written = await write(cluster, randomBytes(40_000))
  assert.ok(!written.blob.holders.includes('c-2'))
  cluster.fault = undefined
  assert.ok((await read(cluster, written)).bytes.equals(written.plain))
})

test('a whole site that dies midway is replaced by rebuilding its shards elsewhere', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  let writes = 0
  cluster.fault = async ({ message }) => {
    if (message === 'write-shard' && ++writes === 60) cluster.down.add('a-1').add('a-2')
    return undefined
  }
  const written = await write(cluster, randomBytes(150_000))
  cluster.fault = undefined
  assert.ok(cluster.down.size === 2, 'the site died during the write')
  assert.ok(written.blob.holders.every((nodeId) => !nodeId.startsWith('a')))
  assert.ok((await read(cluster, written)).bytes.equals(written.plain))
})

test('a write that loses more than m holders fails and leaves no shard behind', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  let writes = 0
  cluster.fault = async ({ to, message }) => {
    if (message === 'write-shard' && ++writes > 40 && !to.startsWith('c')) {
      throw new ClusterError('PeerUnreachable', 'gone')
    }
    return undefined
  }
  await assert.rejects(write(cluster, randomBytes(150_000)), failsWith('WriteQuorumUnavailable'))
  const cleaned = cluster.calls.filter(
    ({ message }) => message === 'abort-shard' || message === 'delete-shards',
  )
  assert.equal(cleaned.length, 6)
})

test('a body that fails midway fails the write', async (t) => {
  const cluster = await BlobCluster.open((run) => t.after(run))
  async function* broken(): AsyncGenerator<Buffer> {
    yield randomBytes(10_000)
    throw new Error('client went away')
  }
  const writing = new BlobWriter(cluster.client, new Codecs(), quiet).write({
    blobId: randomBytes(16).toString('hex'),
    groupId: 'catalog-1',
    pool: testPool,
    dataKey: randomBytes(32),
    segmentBytes: SEGMENT_BYTES,
    plainBytes: 50_000,
    chunks: broken(),
    signal: undefined,
  })
  await assert.rejects(writing, /client went away/)
})
