import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { openShardFiles, type ShardFiles } from '../../node/io/shard-files.ts'
import {
  cellOffset,
  encodeHeader,
  footerBytes,
  headerBytes,
  parseHeader,
} from '../../node/protocol/shard-record.ts'
import { parseShardName, shardName } from '../../node/protocol/shard-store.ts'
import { SimDisk } from '../sim/shard-disk.ts'
import { code, frames, someHeader, TestClock } from '../sim/shard-fixture.ts'

const root = '/disk'
const path = `${root}/shards/0a/${shardName(someHeader)}`
const golden = new URL('../golden/shards/format-1.shard', import.meta.url)

async function sealed(): Promise<{ disk: SimDisk; bytes: Buffer }> {
  const disk = new SimDisk()
  const store = await open(disk)
  await store.append(someHeader, 0, 2, frames(someHeader, 0, 2, { lastBytes: 100 }))
  await store.seal(someHeader)
  return { disk, bytes: disk.bytesOf(path) }
}

function open(disk: SimDisk): Promise<ShardFiles> {
  return openShardFiles({ root, disk, clock: new TestClock(), onFatal: (error) => assert.fail(error) })
}

describe('shard file format', () => {
  it('is byte for byte the one of the golden file', async () => {
    const { bytes } = await sealed()
    if (process.env.GOLDEN === 'write') writeFileSync(golden, bytes)
    assert.ok(existsSync(golden), 'run with GOLDEN=write once')
    assert.deepEqual(bytes, readFileSync(golden))
  })

  it('is read from the golden file by this version', async () => {
    const { disk } = await sealed()
    disk.overwrite(path, readFileSync(golden))
    const store = await open(disk)
    assert.deepEqual((await store.find(someHeader)).header, someHeader)
    const read = await store.read(someHeader, 0, 2)
    assert.deepEqual(read.frames, frames(someHeader, 0, 2, { lastBytes: 100 }))
    await store.verify(someHeader, () => Promise.resolve())
  })

  it('keeps every field of a header', () => {
    const header = {
      ...someHeader,
      blobId: 'f'.repeat(128),
      groupId: 'g'.repeat(128),
      code: 'c'.repeat(128),
      dataShards: 200,
      parityShards: 56,
      shardIndex: 255,
      cellBytes: 8 * 1024 * 1024,
      generation: Number.MAX_SAFE_INTEGER,
    }
    assert.deepEqual(parseHeader(encodeHeader(header)), header)
  })

  it('refuses a header of a version that it does not know', () => {
    const bytes = encodeHeader(someHeader)
    bytes.writeUInt16LE(2, 8)
    assert.throws(() => parseHeader(bytes), code('ShardCorrupt', { region: 'header' }))
  })

  it('notices every flipped bit, wherever it is, and says in which cell', async () => {
    const { disk, bytes } = await sealed()
    for (let at = 0; at < bytes.length; at += 3) {
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (at % 8)), at)
      disk.overwrite(path, damaged)
      const store = await open(disk)
      const inCells = at >= headerBytes && at < bytes.length - footerBytes
      const cell = at >= cellOffset(someHeader.cellBytes, 1) ? 1 : 0
      const expected = inCells ? { region: 'cells', cell } : {}
      const label = `byte ${at}`
      await assert.rejects(
        store.verify(someHeader, () => Promise.resolve()),
        code('ShardCorrupt', expected),
        label,
      )
      if (inCells) await assert.rejects(store.read(someHeader, 0, 2), code('ShardCorrupt', expected), label)
      else assert.equal((await store.list('', 10)).unreadable.length, 1, label)
    }
  })

  it('notices every truncation and appended bytes', async () => {
    const { disk, bytes } = await sealed()
    for (let length = 0; length < bytes.length; length += 7) {
      disk.overwrite(path, bytes.subarray(0, length))
      await assert.rejects((await open(disk)).find(someHeader), code('ShardCorrupt'), `${length} bytes`)
    }
    disk.overwrite(path, Buffer.concat([bytes, Buffer.alloc(1)]))
    await assert.rejects((await open(disk)).find(someHeader), code('ShardCorrupt'))
  })

  it('notices the cells of another shard of the same shape (digest)', async () => {
    const { disk, bytes } = await sealed()
    const other = frames(someHeader, 0, 2, { lastBytes: 100, salt: 9 })
    const mixed = Buffer.from(bytes)
    other.copy(mixed, headerBytes)
    disk.overwrite(path, mixed)
    const store = await open(disk)
    await assert.rejects(
      store.verify(someHeader, () => Promise.resolve()),
      code('ShardCorrupt', { region: 'footer' }),
    )
  })

  it('notices a whole shard under the name of another', async () => {
    const { disk, bytes } = await sealed()
    const other = { ...someHeader, shardIndex: 1 }
    const store = await open(disk)
    await store.append(other, 0, 1, frames(other, 0, 1))
    await store.seal(other)
    disk.overwrite(`${root}/shards/0a/${shardName(other)}`, bytes)
    await assert.rejects((await open(disk)).find(other), code('ShardCorrupt', { region: 'header' }))
  })

  it('names shards so that names sort as keys, and takes no other string for a name', () => {
    assert.deepEqual(parseShardName(shardName(someHeader)), {
      blobId: someHeader.blobId,
      shardIndex: someHeader.shardIndex,
    })
    for (const name of ['', 'x', '../a.000', 'abcdef0123.1', 'abcdef0123.0000', 'ABCDEF0123.000'])
      assert.equal(parseShardName(name), undefined, name)
  })
})
