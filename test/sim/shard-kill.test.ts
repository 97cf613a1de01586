import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClusterError } from '../../node/errors.ts'
import { openShardFiles } from '../../node/io/shard-files.ts'
import type { ShardHeader } from '../../node/protocol/messages.ts'
import { SimDisk, seeded } from './shard-disk.ts'
import { code, frames, someHeader, TestClock } from './shard-fixture.ts'

const root = '/disk'
const second: ShardHeader = { ...someHeader, generation: 2 }

/** Writes generation 1, then generation 2 in its place; returns the generations whose seal was acknowledged. */
async function writeTwice(disk: SimDisk, acknowledged: number[]): Promise<void> {
  const store = await openShardFiles({ root, disk, clock: new TestClock(), onFatal: () => undefined })
  for (const header of [someHeader, second]) {
    const salt = header.generation
    await store.append(header, 0, 2, frames(header, 0, 2, { salt }))
    await store.append(header, 2, 2, frames(header, 2, 2, { salt, lastBytes: 40 }))
    await store.seal(header)
    acknowledged.push(header.generation)
  }
}

/** What a process that starts on this disk finds: the generation of the whole shard, or 0. Fails on anything else. */
async function generationFound(disk: SimDisk): Promise<number> {
  const store = await openShardFiles({ root, disk, clock: new TestClock(), onFatal: () => assert.fail() })
  assert.deepEqual(disk.paths(`${root}/tmp`), [])
  const listed = await store.list('', 10)
  assert.deepEqual(listed.unreadable, [])
  const shard = listed.shards[0]
  if (shard === undefined) return 0
  const { generation } = shard.header
  const expected = [
    frames(shard.header, 0, 2, { salt: generation }),
    frames(shard.header, 2, 2, { salt: generation, lastBytes: 40 }),
  ]
  assert.deepEqual((await store.read(shard.header, 0, 4)).frames, Buffer.concat(expected))
  await store.verify(shard.header, () => Promise.resolve())
  return generation
}

describe('shard files when the process dies', () => {
  it('keeps every acknowledged shard and shows no half one, whatever the step, for kill and power loss', async () => {
    const whole = new SimDisk()
    await openShardFiles({ root, disk: whole, clock: new TestClock(), onFatal: () => undefined })
    const opened = whole.steps
    await writeTwice(whole, [])
    let checked = 0
    for (let step = 0; step <= whole.steps; step++) {
      // Making the 256 directories is one thing 256 times.
      if (step > 20 && step < opened - 10) continue
      for (const afterEffect of [false, true]) {
        const disk = new SimDisk()
        disk.crashAtStep = step
        disk.crashAfterEffect = afterEffect
        const acknowledged: number[] = []
        await writeTwice(disk, acknowledged).catch(() => undefined)
        const newest = acknowledged.at(-1) ?? 0
        for (let seed = 0; seed < 6; seed++) {
          const kind = seed === 0 ? 'kill' : 'power'
          const found = await generationFound(disk.afterCrash(kind, seeded(step * 100 + seed)))
          const label = `step ${step}, after effect ${afterEffect}, ${kind}, seed ${seed}`
          assert.ok(found >= newest && found <= newest + 1, `${label}: ${found} of ${newest}`)
          checked++
        }
      }
    }
    assert.ok(checked > 500, `only ${checked} crashes`)
  })

  it('would lose an acknowledged shard on a disk whose directory fsync lies (the test can fail)', async () => {
    let lost = 0
    for (let seed = 0; seed < 20; seed++) {
      const disk = new SimDisk()
      disk.syncDirectory = () => Promise.resolve()
      await writeTwice(disk, [])
      const after = disk.afterCrash('power', seeded(seed))
      if ((await generationFound(after)) !== 2) lost++
    }
    assert.ok(lost > 0)
  })

  it('stops for good when an fsync fails, and acknowledges nothing after it', async () => {
    const disk = new SimDisk()
    const fatal: Error[] = []
    const clock = new TestClock()
    const store = await openShardFiles({ root, disk, clock, onFatal: (error) => fatal.push(error) })
    await store.append(someHeader, 0, 1, frames(someHeader, 0, 1))
    disk.failSyncs = true
    await assert.rejects(store.seal(someHeader), code('Internal'))
    assert.equal(fatal.length, 1)
    disk.failSyncs = false
    await assert.rejects(store.seal(someHeader), code('Internal'))
    await assert.rejects(store.append(second, 0, 1, frames(second, 0, 1)), code('Internal'))
    await assert.rejects(store.find(someHeader), code('Internal'))
  })
})

describe('shard files when the disk is full', () => {
  const open = async (disk: SimDisk, reserveBytes: number) => {
    const clock = new TestClock()
    const onFatal = (error: Error): void => assert.fail(error.message)
    const store = await openShardFiles({ root, disk, clock, onFatal, limits: { reserveBytes } })
    return { store, clock }
  }

  it('refuses with NoSpace before the reserve is touched, and leaves nothing behind', async () => {
    const disk = new SimDisk()
    disk.freeBytesLeft = 10_000
    const { store, clock } = await open(disk, 8_000)
    const sizes: number[] = []
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        const header = { ...someHeader, blobId: `0000000${i}` }
        await store.append(header, 0, 2, frames(header, 0, 2))
        await store.seal(header)
        sizes.push(disk.freeBytesLeft)
      }
    }
    await assert.rejects(fill(), code('NoSpace'))
    assert.ok(sizes.length > 0 && sizes.every((left) => left >= 8_000 - 200))
    assert.deepEqual(disk.paths(`${root}/tmp`), [])
    assert.equal((await store.usage()).openShards, 0)
    disk.freeBytesLeft = 1_000_000
    clock.advance(10_000)
    const header = { ...someHeader, blobId: 'ffffffff' }
    await store.append(header, 0, 2, frames(header, 0, 2))
    await store.seal(header)
  })

  it('turns ENOSPC in the middle of a shard into NoSpace and removes the shard', async () => {
    const disk = new SimDisk()
    disk.freeBytesLeft = 1_400
    const { store } = await open(disk, 0)
    await store.append(someHeader, 0, 3, frames(someHeader, 0, 3))
    disk.freeBytesLeft = 10
    await assert.rejects(store.seal(someHeader), code('NoSpace'))
    assert.deepEqual(disk.paths(`${root}/tmp`), [])
    await assert.rejects(store.find(someHeader), code('ShardNotFound'))
    const again = store.append(someHeader, 0, 1, frames(someHeader, 0, 1))
    await assert.rejects(again, (error) => error instanceof ClusterError && error.code === 'NoSpace')
  })
})

describe('directory fsync', () => {
  it('is shared by shards that are sealed at the same time in one directory', async () => {
    const disk = new SimDisk()
    const onFatal = (error: Error): void => assert.fail(error.message)
    const store = await openShardFiles({ root, disk, clock: new TestClock(), onFatal })
    const before = disk.directorySyncs
    const headers = Array.from({ length: 16 }, (_, i) => ({ ...someHeader, blobId: `aa0000${16 + i}` }))
    await Promise.all(
      headers.map(async (header) => {
        await store.append(header, 0, 1, frames(header, 0, 1))
        await store.seal(header)
      }),
    )
    assert.ok(disk.directorySyncs - before <= 4, `${disk.directorySyncs - before} fsyncs`)
    assert.equal((await store.list('', 100)).shards.length, 16)
  })
})
