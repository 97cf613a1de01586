/** What LevelDB alone would not give: group commit, bounds, fail-stop, and an fsync that covers what came before. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { ClusterError } from '../../node/errors.ts'
import { compareKeys } from '../../node/io/level-overlay.ts'
import { LevelStore, type LevelStoreLimits } from '../../node/io/level-store.ts'
import { WalGuard } from '../../node/io/level-wal.ts'
import { SeededRandom } from '../sim/random.ts'

const limits: LevelStoreLimits = {
  queuedBytesMax: 2 * 2 ** 20,
  lazyWriteMs: 5,
  writeBufferBytes: 64 * 2 ** 10,
  cacheBytes: 2 ** 20,
  scanAheadBytes: 2 ** 14,
}

describe('LevelStore', () => {
  let directory: string
  let store: LevelStore

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'level-store-'))
    store = await LevelStore.open(join(directory, 'db'), limits)
  })
  afterEach(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })

  /** What a process finds that starts after this one was killed. */
  async function afterKill<T>(look: (found: LevelStore) => Promise<T>): Promise<T> {
    const copy = join(directory, `copy-${(await readdir(directory)).length}`)
    await cp(join(directory, 'db'), copy, { recursive: true })
    const found = await LevelStore.open(copy, limits)
    try {
      return await look(found)
    } finally {
      await found.close()
    }
  }

  test('has every acknowledged durable write, and all that was written before it, after a kill', async () => {
    const row = (n: number) => ({ key: `k${String(n).padStart(5, '0')}`, value: Buffer.alloc(100, n) })
    for (let n = 0; n < 400; n += 1) void store.write([row(n)], { durable: n % 5 === 0 })
    await store.write([row(400)], { durable: true })
    await afterKill(async (found) => {
      for (let n = 0; n <= 400; n += 1) assert.deepEqual(found.getSync(row(n).key), row(n).value, `row ${n}`)
    })
  })

  test('loses the end of what was not durable, never the middle, wherever it is killed', async () => {
    const writes: Promise<void>[] = []
    for (let n = 0; n < 200; n += 1) {
      writes.push(store.write([{ key: `k${n}`, value: Buffer.alloc(400) }], { durable: n % 40 === 0 }))
      if (n % 60 !== 0) continue
      await writes.at(-1)
      await afterKill(async (found) => {
        const present = Array.from({ length: n + 1 }, (_, at) => found.getSync(`k${at}`) !== undefined)
        const firstMissing = present.indexOf(false)
        assert.ok(
          firstMissing === -1 || present.lastIndexOf(true) < firstMissing,
          `a hole at ${firstMissing}`,
        )
      })
    }
    await Promise.all(writes)
  })

  test('keeps an atomic batch whole', async () => {
    const batch = Array.from({ length: 50 }, (_, n) => ({ key: `b${n}`, value: Buffer.alloc(3_000) }))
    await store.write(batch, { durable: true })
    await afterKill(async (found) => {
      for (const { key } of batch) assert.ok(found.getSync(key) !== undefined, key)
    })
  })

  test('refuses more than its queue holds, before it has written anything of it, and goes on afterwards', async () => {
    const big = Buffer.alloc(900_000)
    const first = store.write([{ key: 'a', value: big }], { durable: true })
    const second = store.write([{ key: 'b', value: big }], { durable: true })
    const third = store.write([{ key: 'c', value: big }], { durable: true })
    await assert.rejects(third, (cause) => cause instanceof ClusterError && cause.code === 'Overloaded')
    assert.equal(store.getSync('c'), undefined)
    await Promise.all([first, second])
    await store.write([{ key: 'c', value: big }], { durable: true })
    assert.equal(store.getSync('c')?.byteLength, big.byteLength)
  })

  test('finds in a scan what is pending and what is stored, like a sorted map', async () => {
    const random = new SeededRandom(7)
    const model = new Map<string, string>()
    const letters = ['a', 'ä', '/', '\u{1f600}', '\u{ffee}', '0']
    for (let round = 0; round < 60; round += 1) {
      const mutations = Array.from({ length: random.below(8) }, () => {
        const key = random.pick(letters) + random.pick(letters) + random.pick(letters)
        const value = random.chance(0.4) ? undefined : Buffer.from(String(round))
        if (value === undefined) model.delete(key)
        else model.set(key, value.toString())
        return { key, value }
      })
      const write = store.write(mutations, { durable: random.chance(0.5) })
      if (random.chance(0.3)) await write
      const [gte, lt] = [random.pick(letters), random.pick(letters)].sort(compareKeys)
      const reverse = random.chance(0.5)
      const limit = random.below(10)
      const expected = [...model.keys()]
        .filter((key) => compareKeys(key, gte ?? '') >= 0 && compareKeys(key, lt ?? '') < 0)
        .sort((a, b) => (reverse ? -1 : 1) * Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .slice(0, limit)
      const found: string[] = []
      for await (const { key, value } of store.scan({ gte: gte ?? '', lt: lt ?? '', reverse, limit })) {
        assert.equal(Buffer.from(value).toString(), model.get(key))
        found.push(key)
      }
      assert.deepEqual(found, expected, `round ${round}`)
    }
  })
})

describe('WalGuard', () => {
  class Watched extends WalGuard {
    synced = 0
    protected override async syncLog(file: number): Promise<void> {
      this.synced += 1
      await super.syncLog(file)
    }
  }

  /** Writes ten memtables' worth and tells how often the guard had to sync a log that LevelDB had left. */
  async function fill(sync: (n: number) => boolean): Promise<number> {
    const directory = await mkdtemp(join(tmpdir(), 'wal-guard-'))
    const level = new ClassicLevel<string, Buffer>(directory, {
      valueEncoding: 'buffer',
      writeBufferSize: 65_536,
    })
    await level.open()
    const guard = new Watched(directory)
    for (let n = 0; n < 60; n += 1) {
      await level.batch([{ type: 'put', key: `k${n}`, value: Buffer.alloc(12_000) }], { sync: sync(n) })
      await guard.settle(sync(n))
    }
    guard.close()
    await level.close()
    await rm(directory, { recursive: true })
    return guard.synced
  }

  test('syncs every log that LevelDB leaves with writes that no fsync has covered', async () => {
    const synced = await fill(() => false)
    assert.ok(synced >= 5, `${synced} logs were synced`)
  })

  test('has nothing to do when every write was durable', async () => {
    assert.equal(await fill(() => true), 0)
  })
})
