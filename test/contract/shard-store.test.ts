import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openShardFiles, type ShardFiles } from '../../node/io/shard-files.ts'
import { realDisk } from '../../node/io/shard-files-real-disk.ts'
import { shardName } from '../../node/protocol/shard-store.ts'
import { SimDisk } from '../sim/shard-disk.ts'
import { code, frames, someHeader, TestClock } from '../sim/shard-fixture.ts'

const neverFatal = (error: Error): void => assert.fail(error.message)
const realRoot = await mkdtemp(join(tmpdir(), 'shards-'))
after(() => rm(realRoot, { recursive: true }))
let roots = 0

for (const kind of ['real', 'simulated'] as const) {
  const open = async (limits = {}) => {
    const clock = new TestClock()
    const root = join(realRoot, String(roots++))
    const disk = kind === 'real' ? realDisk : new SimDisk()
    const again = (): Promise<ShardFiles> =>
      openShardFiles({ root, clock, disk, onFatal: neverFatal, limits })
    return { store: await again(), clock, again }
  }
  const full = frames(someHeader, 0, 3)
  const tail = frames(someHeader, 3, 2, { lastBytes: 17 })
  const writeAll = async (store: ShardFiles, header = someHeader): Promise<void> => {
    await store.append(header, 0, 3, frames(header, 0, 3))
    await store.append(header, 3, 2, frames(header, 3, 2, { lastBytes: 17 }))
    await store.seal(header)
  }

  describe(`shard store on a ${kind} disk`, () => {
    it('reads back framed cells exactly as they were written, from any cell on', async () => {
      const { store } = await open()
      await writeAll(store)
      const all = await store.read(someHeader, 0, 100)
      assert.equal(all.cellCount, 5)
      assert.deepEqual(all.frames, Buffer.concat([full, tail]))
      assert.deepEqual((await store.read(someHeader, 3, 2)).frames, tail)
      assert.deepEqual((await store.read(someHeader, 1, 1)).frames, frames(someHeader, 1, 1))
      await assert.rejects(store.read(someHeader, 5, 1), code('BadMessage', { cells: 5 }))
      await assert.rejects(store.read(someHeader, -1, 1), code('BadMessage'))
    })

    it('shows a shard only after it was sealed, and again after reopening', async () => {
      const { store, again } = await open()
      await store.append(someHeader, 0, 3, full)
      await assert.rejects(store.find(someHeader), code('ShardNotFound'))
      assert.equal((await store.list('', 10)).shards.length, 0)
      await store.append(someHeader, 3, 2, tail)
      const sealed = await store.seal(someHeader)
      assert.equal(sealed.cells, 5)
      assert.equal(sealed.lastCellBytes, 17)
      assert.deepEqual(await store.find(someHeader), sealed)
      assert.deepEqual((await store.list('', 10)).shards, [sealed])
      await store.append({ ...someHeader, blobId: 'abcdef01' }, 0, 3, full)
      await store.close()
      const reopened = await again()
      assert.deepEqual((await reopened.list('', 10)).shards, [sealed])
      assert.deepEqual((await reopened.read(someHeader, 3, 2)).frames, tail)
    })

    it('refuses cells out of order, behind a short cell, and of a shard that was never begun', async () => {
      const { store } = await open()
      await assert.rejects(store.append(someHeader, 3, 2, tail), code('ShardNotFound'))
      await store.append(someHeader, 0, 3, full)
      await assert.rejects(
        store.append(someHeader, 4, 1, frames(someHeader, 4, 1)),
        code('BadMessage', { nextCell: 3 }),
      )
      await store.append(someHeader, 3, 2, tail)
      await assert.rejects(store.append(someHeader, 5, 1, frames(someHeader, 5, 1)), code('BadMessage'))
      assert.equal((await store.seal(someHeader)).cells, 5)
    })

    it('writes nothing of a run with a bad cell and names the cell', async () => {
      const { store } = await open()
      const bad = Buffer.from(full)
      bad.writeUInt8(bad.readUInt8(300) ^ 1, 300)
      await assert.rejects(store.append(someHeader, 0, 3, bad), code('ShardCorrupt', { cell: 1 }))
      assert.equal((await store.usage()).openShards, 0)
      await store.append(someHeader, 0, 3, full)
      const badTail = Buffer.from(tail)
      badTail.writeUInt8(badTail.readUInt8(5) ^ 1, 5)
      await assert.rejects(store.append(someHeader, 3, 2, badTail), code('ShardCorrupt', { cell: 3 }))
      await store.append(someHeader, 3, 2, tail)
      assert.equal((await store.seal(someHeader)).cells, 5)
    })

    it('refuses frames of another cell number: a cell cannot move within its shard', async () => {
      const { store } = await open()
      await assert.rejects(
        store.append(someHeader, 0, 2, frames(someHeader, 1, 2)),
        code('ShardCorrupt', { cell: 0 }),
      )
    })

    it('begins anew when the first cell comes again, and seals what came last', async () => {
      const { store } = await open()
      await store.append(someHeader, 0, 3, full)
      await store.append(someHeader, 0, 1, frames(someHeader, 0, 1, { lastBytes: 9 }))
      assert.equal((await store.seal(someHeader)).lastCellBytes, 9)
      assert.equal((await store.usage()).openShards, 0)
    })

    it('replaces an older generation and refuses an older one, open or sealed', async () => {
      const { store } = await open()
      const newer = { ...someHeader, generation: 2 }
      await writeAll(store)
      await store.append(newer, 0, 1, frames(newer, 0, 1, { salt: 5 }))
      await assert.rejects(store.append(someHeader, 0, 3, full), code('GenerationMismatch'))
      await assert.rejects(
        store.append(someHeader, 1, 1, frames(someHeader, 1, 1)),
        code('GenerationMismatch'),
      )
      assert.equal((await store.read(someHeader, 0, 5)).cellCount, 5)
      await store.seal(newer)
      await assert.rejects(store.read(someHeader, 0, 1), code('GenerationMismatch', { have: 2, got: 1 }))
      await assert.rejects(store.append(someHeader, 0, 3, full), code('GenerationMismatch'))
      assert.deepEqual((await store.read(newer, 0, 1)).frames, frames(newer, 0, 1, { salt: 5 }))
    })

    it('refuses another shape under the same generation', async () => {
      const { store } = await open()
      await writeAll(store)
      const other = { ...someHeader, cellBytes: 128 }
      await assert.rejects(store.append(other, 0, 1, frames(other, 0, 1)), code('GenerationMismatch'))
    })

    it('gives every incarnation a later seal time and removes only the one that is named', async () => {
      const { store } = await open()
      await writeAll(store)
      const first = await store.find(someHeader)
      await writeAll(store)
      const second = await store.find(someHeader)
      assert.ok(second.sealedMs > first.sealedMs)
      assert.equal(await store.remove(someHeader, first.sealedMs), false)
      assert.deepEqual(await store.find(someHeader), second)
      assert.equal(await store.remove(someHeader, second.sealedMs), true)
      await assert.rejects(store.find(someHeader), code('ShardNotFound'))
      assert.equal(await store.remove(someHeader), false)
    })

    it('lists in name order, in pages, across directories', async () => {
      const { store } = await open()
      const ids = ['ff000001', '00000002', '7f000001', '00000001', 'fe000001']
      for (const blobId of ids) {
        for (const shardIndex of [5, 0]) {
          const header = { ...someHeader, blobId, shardIndex }
          await store.append(header, 0, 1, frames(header, 0, 1))
          await store.seal(header)
        }
      }
      const seen: string[] = []
      let after: string | undefined = ''
      while (after !== undefined) {
        const page: Awaited<ReturnType<ShardFiles['list']>> = await store.list(after, 3)
        seen.push(...page.shards.map(({ header }) => shardName(header)))
        after = page.next
      }
      assert.deepEqual(
        seen,
        ids.sort().flatMap((id) => [`${id}.000`, `${id}.005`]),
      )
    })

    it('forgets an aborted shard, and an idle one only after the idle time', async () => {
      const { store, clock } = await open({ openIdleMsMax: 1_000 })
      await store.append(someHeader, 0, 3, full)
      clock.advance(999)
      assert.equal(await store.abortIdle(), 0)
      await store.append(someHeader, 3, 1, frames(someHeader, 3, 1))
      clock.advance(999)
      assert.equal(await store.abortIdle(), 0)
      clock.advance(1)
      assert.equal(await store.abortIdle(), 1)
      await assert.rejects(store.seal(someHeader), code('ShardNotFound'))
      await store.append(someHeader, 0, 3, full)
      await store.abort(someHeader)
      await store.abort(someHeader)
      await assert.rejects(store.seal(someHeader), code('ShardNotFound'))
    })

    it('bounds how many shards are open at once', async () => {
      const { store } = await open({ openShardsMax: 2 })
      const begin = (shardIndex: number): Promise<void> => {
        const header = { ...someHeader, shardIndex }
        return store.append(header, 0, 1, frames(header, 0, 1))
      }
      const outcomes = await Promise.allSettled([0, 1, 2].map(begin))
      assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
      await assert.rejects(begin(5), code('Overloaded'))
      await Promise.all([0, 1, 2].map((shardIndex) => store.abort({ ...someHeader, shardIndex })))
      await begin(5)
    })

    it('sets a quarantined shard aside: not listed or found, still read, replaced by a rebuild', async () => {
      const { store } = await open()
      await writeAll(store)
      const { sealedMs } = await store.find(someHeader)
      assert.equal(await store.quarantine(someHeader, sealedMs - 1), false)
      assert.equal(await store.quarantine(someHeader, sealedMs), true)
      await assert.rejects(store.find(someHeader), code('ShardNotFound'))
      assert.equal((await store.list('', 10)).shards.length, 0)
      assert.equal((await store.read(someHeader, 0, 5)).cellCount, 5)
      assert.deepEqual(
        (await store.quarantined()).map(({ key }) => shardName(key)),
        [shardName(someHeader)],
      )
      await writeAll(store)
      assert.equal((await store.quarantined()).length, 0)
      assert.equal((await store.find(someHeader)).cells, 5)
    })

    it('removes the quarantined copy with the shard', async () => {
      const { store } = await open()
      await writeAll(store)
      await store.quarantine(someHeader, (await store.find(someHeader)).sealedMs)
      assert.equal(await store.remove(someHeader), true)
      await assert.rejects(store.read(someHeader, 0, 1), code('ShardNotFound'))
    })

    it('serves a reader that began before the shard was replaced or removed', async () => {
      const { store } = await open()
      await writeAll(store)
      const reading = Promise.all(Array.from({ length: 8 }, () => store.read(someHeader, 0, 5)))
      await store.remove(someHeader)
      for (const outcome of await Promise.allSettled([reading])) {
        if (outcome.status === 'fulfilled')
          for (const { frames: got } of outcome.value) assert.deepEqual(got, Buffer.concat([full, tail]))
        else assert.ok(code('ShardNotFound')(outcome.reason))
      }
    })

    it('refuses headers that are not made of sane values', async () => {
      const { store } = await open()
      const bad: Record<string, unknown>[] = [
        { blobId: '../../../etc/passwd' },
        { blobId: 'ABCDEF0123' },
        { groupId: 'a/b' },
        { code: '' },
        { shardIndex: 6 },
        { shardIndex: -1 },
        { dataShards: 300 },
        { cellBytes: 0 },
        { cellBytes: 2 ** 30 },
        { generation: 1.5 },
      ]
      for (const change of bad) {
        const header = { ...someHeader, ...change } as typeof someHeader
        await assert.rejects(store.append(header, 0, 3, full), code('BadMessage'), JSON.stringify(change))
      }
    })
  })
}
