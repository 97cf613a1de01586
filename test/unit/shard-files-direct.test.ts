import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AlignedBuffers } from '../../node/io/aligned-buffers.ts'
import { createDirect, openDirect } from '../../node/io/shard-files-direct.ts'

async function inFolder(t: { after(run: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'direct-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('what is appended in any cut is the content of the file after sync, to the byte', async (t) => {
  const folder = await inFolder(t)
  for (let round = 0; round < 40; round++) {
    const expected: Buffer[] = []
    const path = join(folder, `f${round}`)
    const file = await createDirect(path)
    let end = 0
    for (let i = randomInt(6); i >= 0; i--) {
      const pieces = Array.from({ length: randomInt(1, 4) }, () =>
        randomBytes(randomInt(2) === 0 ? randomInt(1, 9_000) : randomInt(1, 1_500_000)),
      )
      await file.write(pieces, end)
      for (const piece of pieces) end += piece.length
      expected.push(...pieces)
    }
    await file.sync()
    assert.equal(await file.bytes(), end)
    await file.close()
    assert.ok((await readFile(path)).equals(Buffer.concat(expected)), `round ${round}`)
  }
})

test('any range reads like the file, and short at its end', async (t) => {
  const path = join(await inFolder(t), 'f')
  const content = randomBytes(3_000_001)
  const file = await createDirect(path)
  await file.write([content], 0)
  await file.sync()
  await file.close()
  const open = await openDirect(path)
  for (const [from, bytes] of [
    [0, 1],
    [0, content.length],
    [4_095, 2],
    [4_096, 4_096],
    [2_999_999, 100],
    [5_000_000, 10],
  ]) {
    if (from === undefined || bytes === undefined) continue
    const into = Buffer.alloc(bytes)
    const count = await open.read(into, from)
    assert.ok(into.subarray(0, count).equals(content.subarray(from, from + bytes)), `${bytes} from ${from}`)
    assert.equal(count, Math.max(0, Math.min(bytes, content.length - from)))
  }
  await open.close()
})

test('a write goes on where a sync left the last page', async (t) => {
  const path = join(await inFolder(t), 'f')
  const file = await createDirect(path)
  const [first, second] = [randomBytes(5_000), randomBytes(6_000)]
  await file.write([first], 0)
  await file.sync()
  await file.write([second], first.length)
  await file.sync()
  await file.close()
  assert.ok((await readFile(path)).equals(Buffer.concat([first, second])))
})

test('an existing file is not overwritten', async (t) => {
  const path = join(await inFolder(t), 'f')
  await (await createDirect(path)).close()
  await assert.rejects(createDirect(path), /EEXIST/)
})

test('buffers are lent in turn and come back after failures', async () => {
  const pool = new AlignedBuffers({ bufferBytes: 4_096, count: 1 })
  const order: number[] = []
  const uses = [1, 2, 3].map((use) =>
    pool.with(async () => {
      order.push(use)
      if (use === 2) throw new Error('disk')
    }),
  )
  const outcomes = await Promise.allSettled(uses)
  assert.deepEqual(order, [1, 2, 3])
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})
