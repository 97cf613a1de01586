import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { catalogLimits } from '../../node/core/catalog-rows.ts'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { blobRows, bucketRows, fenceRows, garbageRows } from '../../node/core/catalog-work.ts'
import { bucketId, census, createUpload, del, inline, openCatalog, put, putPart } from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

function relocate(extra: Partial<Extract<CatalogCommand, { kind: 'relocate-shard' }>> = {}) {
  return {
    kind: 'relocate-shard',
    blobId: 'aa',
    generation: 1,
    shardIndex: 1,
    from: 'b-1',
    to: 'b-2',
    ...extra,
  }
}

async function states(driver: Driver, ...blobIds: string[]): Promise<string[]> {
  const { blobs } = await answerCatalogQuery(driver.rows, { kind: 'find-blobs', blobIds })
  return blobs.map((blob) => blob.state)
}

async function holdersOf(driver: Driver, blobId: string): Promise<readonly string[]> {
  const { blobs } = await answerCatalogQuery(driver.rows, { kind: 'find-blobs', blobIds: [blobId] })
  return blobs[0]?.holders ?? []
}

test('a shard that moved is found at its new holder, and saying so twice is harmless', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(relocate())
  driver.run(relocate())
  assert.deepEqual(await holdersOf(driver, 'aa'), ['a-1', 'b-2', 'c-1'])
  driver.run(del('k'))
  const { entries } = await garbageRows(driver.rows, { after: '', limit: 10 })
  assert.deepEqual(entries, [{ blobId: 'aa', holders: ['a-1', 'b-2', 'c-1'], generation: 1, sinceMs: 5000 }])
})

test('a relocation with another generation or holder is refused, one of an unknown or dead shard too', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  assert.equal(driver.refused(relocate({ generation: 2 })).code, 'GenerationMismatch')
  assert.equal(driver.refused(relocate({ from: 'c-1' })).code, 'GenerationMismatch')
  assert.equal(driver.refused(relocate({ shardIndex: 3 })).code, 'ShardNotFound')
  assert.equal(driver.refused(relocate({ blobId: 'bb' })).code, 'ShardNotFound')
  assert.deepEqual(await holdersOf(driver, 'aa'), ['a-1', 'b-1', 'c-1'])
  driver.run(del('k'))
  assert.equal(driver.refused(relocate()).code, 'ShardNotFound')
})

test('a move needs the claim that was made for it, and only the newest claim of a shard stands', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  const claim = (claimId: string, to = 'b-2') => driver.run(relocate({ step: 'claim', claimId, to }))
  assert.equal(driver.refused(relocate({ claimId: '0a' })).code, 'GenerationMismatch')
  claim('0a')
  claim('0a')
  claim('0b', 'b-3')
  const [found] = (await answerCatalogQuery(driver.rows, { kind: 'find-blobs', blobIds: ['aa'] })).blobs
  assert.deepEqual(found?.claims, [{ shardIndex: 1, to: 'b-3' }])
  assert.deepEqual(found?.holders, ['a-1', 'b-1', 'c-1'])
  assert.equal(driver.refused(relocate({ claimId: '0a' })).code, 'GenerationMismatch')
  assert.equal(driver.refused(relocate({ claimId: '0b' })).code, 'GenerationMismatch')
  driver.run(relocate({ claimId: '0b', to: 'b-3' }))
  driver.run(relocate({ claimId: '0b', to: 'b-3' }))
  assert.deepEqual(await holdersOf(driver, 'aa'), ['a-1', 'b-3', 'c-1'])
  assert.equal(driver.refused(relocate({ step: 'claim', claimId: '0c' })).code, 'GenerationMismatch')
})

test('a claim is withdrawn by claiming for the holder, and then its move is refused', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(relocate({ step: 'claim', claimId: '0a' }))
  driver.run(relocate({ step: 'claim', claimId: '0b', to: 'b-1' }))
  const [standing] = (await answerCatalogQuery(driver.rows, { kind: 'find-blobs', blobIds: ['aa'] })).blobs
  assert.deepEqual(standing?.claims, [{ shardIndex: 1, to: 'b-2' }], 'that was not the claim of 0b')
  driver.run(relocate({ step: 'claim', claimId: '0a', to: 'b-1' }))
  assert.equal(driver.refused(relocate({ claimId: '0a' })).code, 'GenerationMismatch')
  const [found] = (await answerCatalogQuery(driver.rows, { kind: 'find-blobs', blobIds: ['aa'] })).blobs
  assert.equal(found?.claims, undefined)
})

test('a blob goes from unknown to referenced to garbage to dead', async () => {
  const driver = openCatalog()
  assert.deepEqual(await states(driver, 'aa'), ['unknown'])
  driver.run(put('k', '01', ['aa']))
  assert.deepEqual(await states(driver, 'aa'), ['referenced'])
  driver.run({ kind: 'forget-garbage', blobIds: ['aa'] })
  assert.deepEqual(await states(driver, 'aa'), ['referenced'])
  driver.run(del('k'))
  assert.deepEqual(await states(driver, 'aa'), ['garbage'])
  driver.run({ kind: 'forget-garbage', blobIds: ['aa', 'aa', 'bb'] })
  assert.deepEqual(await states(driver, 'aa', 'bb'), ['abandoned', 'unknown'])
})

test('abandoning fences only what nothing refers to: versions, parts and inline blobs are safe', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(put('l', '02', ['bb'], { make: inline }))
  driver.run(createUpload('m', 'e1'))
  driver.run(putPart('m', 'e1', 1, 'cc'))
  const reply = driver.run({ kind: 'abandon-blobs', blobIds: ['aa', 'bb', 'cc', 'dd'], nowMs: 9 })
  assert.deepEqual(reply, { referenced: ['aa', 'bb', 'cc'] })
  assert.deepEqual(await states(driver, 'aa', 'bb', 'cc', 'dd'), [
    'referenced',
    'referenced',
    'referenced',
    'abandoned',
  ])
  assert.equal(driver.refused(putPart('m', 'e1', 2, 'dd')).code, 'VersionAbandoned')
  assert.equal(driver.refused(put('n', '03', ['dd'])).code, 'VersionAbandoned')
})

test('abandoning a dead blob leaves it as it is', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(del('k'))
  const before = new Map(driver.rows.rows)
  assert.deepEqual(driver.run({ kind: 'abandon-blobs', blobIds: ['aa'], nowMs: 9 }), { referenced: [] })
  assert.deepEqual(driver.rows.rows, before)
})

test('fences go only when they are old and their blob is no longer garbage', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(del('k'))
  driver.run({ kind: 'abandon-blobs', blobIds: ['bb'], nowMs: 5000 })
  const forget = (nowMs: number) =>
    driver.run({ kind: 'forget-fences', ids: ['aa', 'bb', 'bb', 'cc'], nowMs })
  assert.deepEqual(forget(5000 + catalogLimits.fenceMsMin - 1), { forgotten: 0 })
  assert.deepEqual(forget(5000 + catalogLimits.fenceMsMin), { forgotten: 1 })
  assert.deepEqual(await states(driver, 'aa', 'bb'), ['garbage', 'unknown'])
  driver.run({ kind: 'forget-garbage', blobIds: ['aa'] })
  assert.deepEqual(forget(5000 + catalogLimits.fenceMsMin), { forgotten: 1 })
  assert.deepEqual(await states(driver, 'aa'), ['unknown'])
})

test('workers walk all sharded blobs, garbage, fences and buckets, page by page', async () => {
  const driver = openCatalog()
  const ids = Array.from({ length: 25 }, (_, at) => `aa${at.toString(16).padStart(4, '0')}`)
  for (const id of ids) driver.run(put(`key ${id}`, `01${id}`, [id]))
  driver.run(put('inline', '02', ['ff'], { make: inline }))
  for (const id of ids.slice(0, 12)) driver.run(del(`key ${id}`))
  const all = async <T>(
    pageAfter: (after: string) => Promise<{ entries: readonly T[]; next: string | undefined }>,
  ) => {
    const found: T[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page: { entries: readonly T[]; next: string | undefined } = await pageAfter(after)
      found.push(...page.entries)
      after = page.next
    }
    return found
  }
  const alive = await all((after) => blobRows(driver.rows, { after, limit: 5 }))
  assert.deepEqual(
    alive.map((row) => row.blob.blobId),
    ids.slice(12),
  )
  assert.equal(alive[0]?.key, `key ${ids[12]}`)
  const garbage = await all((after) => garbageRows(driver.rows, { after, limit: 5 }))
  assert.deepEqual(
    garbage.map((row) => row.blobId),
    ids.slice(0, 12),
  )
  const fences = await all((after) => fenceRows(driver.rows, { after, limit: 4 }))
  assert.deepEqual(
    fences.map((row) => row.id),
    ids.slice(0, 12),
  )
  const buckets = await all((after) => bucketRows(driver.rows, { after, limit: 1 }))
  assert.deepEqual(buckets, [
    { bucketId, state: 'open', attempt: 1, objectCount: 14, uploadCount: 0, storedBytes: 1400 },
  ])
  census(driver.rows)
})
