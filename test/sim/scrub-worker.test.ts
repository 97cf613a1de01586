import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openShardFiles } from '../../node/io/shard-files.ts'
import { parseShardName, shardName } from '../../node/protocol/shard-store.ts'
import { ScrubWorker } from '../../node/services/scrub-worker.ts'
import { MetricCounts } from '../../node/services/shard-metrics.ts'
import { Pace } from '../../node/services/shard-pace.ts'
import { SimDisk } from './shard-disk.ts'
import { frames, someHeader, TestClock } from './shard-fixture.ts'

async function start(shards: number, bytesPerSecond = 1e12) {
  const disk = new SimDisk()
  const clock = new TestClock()
  const metrics = new MetricCounts()
  const onFatal = (error: Error): void => assert.fail(error.message)
  const store = await openShardFiles({ root: '/d', disk, clock, onFatal })
  const names: string[] = []
  for (let i = 0; i < shards; i++) {
    const header = { ...someHeader, blobId: i.toString(16).padStart(2, '0').repeat(8) }
    await store.append(header, 0, 2, frames(header, 0, 2))
    await store.seal(header)
    names.push(shardName(header))
  }
  let place = ''
  const saved: string[] = []
  const progress = {
    load: () => Promise.resolve(place),
    save: (after: string) => {
      place = after
      saved.push(after)
      return Promise.resolve()
    },
  }
  const set: string[] = []
  const scrub = new ScrubWorker({
    store,
    clock,
    metrics,
    progress,
    bytesPerSecond,
    passMs: 60_000,
    onQuarantined: (key) => set.push(shardName(key)),
  })
  const path = (at: number): string => `/d/shards/${names[at]?.slice(0, 2)}/${names[at]}`
  const flip = (at: number, byte: number): void => {
    const bytes = disk.bytesOf(path(at))
    bytes.writeUInt8(bytes.readUInt8(byte) ^ 16, byte)
  }
  const key = (at: number) => parseShardName(names[at] ?? '') ?? assert.fail()
  const start = (after: string): void => {
    place = after
  }
  return { disk, clock, metrics, store, names, saved, set, scrub, flip, key, start, path }
}

describe('scrub', () => {
  it('verifies every byte and sets aside exactly the shards that are damaged, wherever they are', async () => {
    const { scrub, flip, set, names, metrics, store } = await start(60)
    flip(3, 20)
    flip(17, 600)
    flip(41, 512 + 2 * 264 + 5)
    assert.equal(await scrub.pass(), 3)
    assert.deepEqual(set.sort(), [names[3], names[17], names[41]])
    assert.equal((await store.list('', 100)).shards.length, 57)
    assert.equal((await store.list('', 100)).unreadable.length, 0)
    assert.equal(metrics.values.get('bundescloud_shards_corrupt_total{scrub}'), 3)
    assert.equal(await scrub.pass(), 0)
  })

  it('sets aside a shard that the disk cannot read', async () => {
    const { scrub, disk, set, names, path } = await start(3)
    const open = disk.open.bind(disk)
    disk.open = async (wanted) => {
      const file = await open(wanted)
      const bad = wanted === path(1)
      const read = (into: Buffer, position: number) =>
        bad && position > 400
          ? Promise.reject(Object.assign(new Error(), { code: 'EIO' }))
          : file.read(into, position)
      return { ...file, read }
    }
    assert.equal(await scrub.pass(), 1)
    assert.deepEqual(set, [names[1]])
  })

  it('remembers its place on the way and goes on from there', async () => {
    const { scrub, flip, saved, set, names, start: startAt } = await start(120)
    startAt(names[99] ?? '')
    flip(50, 600)
    flip(110, 600)
    assert.equal(await scrub.pass(), 1)
    assert.deepEqual(set, [names[110]])
    assert.equal(saved.at(-1), '')
    assert.equal(await scrub.pass(), 1)
    assert.deepEqual(saved.slice(1), [names[49], names[99], ''])
  })

  it('looks first at what readers complained about', async () => {
    const { scrub, flip, set, names, key } = await start(10)
    flip(2, 600)
    flip(8, 600)
    scrub.suspect(key(8))
    scrub.suspect(key(5))
    await scrub.pass()
    assert.deepEqual(set, [names[8], names[2]])
  })

  it('does not set aside what was replaced by a good copy since it was read', async () => {
    const { scrub, flip, store, set } = await start(1)
    flip(0, 600)
    const verify = store.verify.bind(store)
    store.verify = async (key, pace) => {
      const header = { ...someHeader, blobId: key.blobId }
      await verify(key, pace).catch(async (error: unknown) => {
        await store.append(header, 0, 2, frames(header, 0, 2))
        await store.seal(header)
        throw error
      })
      return assert.fail('it was corrupt')
    }
    assert.equal(await scrub.pass(), 0)
    assert.deepEqual(set, [])
    assert.equal((await store.list('', 10)).shards.length, 1)
  })

  it('stops between two shards', async () => {
    const { scrub, saved } = await start(5)
    scrub.stop()
    assert.equal(await scrub.pass(), 0)
    assert.deepEqual(saved, [])
  })
})

describe('pace', () => {
  it('grants a second in advance, then no more than its rate', async () => {
    const clock = new TestClock()
    const pace = new Pace(clock, 1_000)
    let granted = 0
    const take = (): void => {
      void pace.take(100).then(() => {
        granted += 100
      })
    }
    for (let i = 0; i < 50; i++) take()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(granted, 1_100)
    clock.advance(500)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(granted, 1_600)
    clock.advance(10_000)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(granted, 5_000)
  })
})
