import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { BucketRow } from '../../node/core/catalog-rows.ts'
import { decodeRow, encodeRow } from '../../node/core/row-codec.ts'
import {
  abort,
  bucketId,
  census,
  complete,
  createUpload,
  del,
  openCatalog,
  put,
  putPart,
} from './catalog-fixture.ts'
import { Driver } from './row-fixture.ts'

const open = (attempt: number) => ({ kind: 'open-bucket', bucketId, attempt })
const close = (attempt: number) => ({ kind: 'close-bucket', bucketId, attempt })
const list = { kind: 'list-objects', bucketId, prefix: '', delimiter: '', after: '', limit: 10 } as const

test('a bucket that this group does not know takes no writes and answers no reads', async () => {
  const driver = new Driver(catalog)
  assert.equal(driver.refused(put('k', '01', ['aa'])).code, 'NoSuchBucket')
  assert.equal(driver.refused(del('k')).code, 'NoSuchBucket')
  assert.equal(driver.refused(createUpload('k', 'e1')).code, 'NoSuchBucket')
  await assert.rejects(answerCatalogQuery(driver.rows, list), { code: 'NoSuchBucket' })
})

test('a bucket with an object or an upload does not close', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(put('k', '02', ['bb']))
  assert.deepEqual(driver.refused(close(2)), {
    code: 'BucketNotEmpty',
    details: { bucketId, objectCount: 1, uploadCount: 0, versionCount: 0 },
  })
  driver.run(del('k'))
  driver.run(createUpload('k', 'e1'))
  assert.equal(driver.refused(close(2)).code, 'BucketNotEmpty')
  driver.run(abort('k', 'e1'))
  driver.run(close(2))
  census(driver.rows)
})

test('a closed bucket refuses reads and writes with StaleBucket and can be opened again', async () => {
  const driver = openCatalog()
  driver.run(close(2))
  driver.run(close(2))
  const writes = [
    put('k', '01', ['aa']),
    del('k'),
    createUpload('k', 'e1'),
    putPart('k', 'e1', 1, 'aa'),
    abort('k', 'e1'),
  ]
  for (const write of writes) assert.equal(driver.refused(write).code, 'StaleBucket')
  await assert.rejects(answerCatalogQuery(driver.rows, list), { code: 'StaleBucket' })
  driver.run(open(3))
  driver.run(put('k', '01', ['aa']))
})

test('an opening or closing under an older attempt changes nothing', () => {
  const driver = openCatalog()
  driver.run(close(3))
  assert.deepEqual(driver.refused(open(2)), {
    code: 'StaleBucket',
    details: { bucketId, state: 'closed', attempt: 3 },
  })
  driver.run(open(4))
  assert.equal(driver.refused(close(3)).code, 'StaleBucket')
  driver.run(put('k', '01', ['aa']))
  census(driver.rows)
})

test('a refused closing does not raise the attempt', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  assert.equal(driver.refused(close(9)).code, 'BucketNotEmpty')
  driver.run(open(2))
})

test('a bucket that never opened here is closed for good against late openings', () => {
  const driver = new Driver(catalog)
  driver.run(close(2))
  assert.equal(driver.refused(open(1)).code, 'StaleBucket')
})

test('opening again keeps the counts', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(open(1))
  driver.run(open(2))
  assert.equal(driver.refused(close(3)).code, 'BucketNotEmpty')
  census(driver.rows)
})

test('what a bucket holds is counted: versions and parts with their bytes, until they end', async () => {
  const driver = openCatalog()
  const counts = async () => answerCatalogQuery(driver.rows, { kind: 'count-bucket', bucketId })
  driver.run(put('k', '01', ['aa', 'ab']))
  assert.deepEqual(await counts(), { objects: 1, versions: 0, uploads: 0, bytes: 200 })
  driver.run(put('k', '02', ['ac']))
  driver.run(put('k', '02', ['ac']))
  assert.deepEqual(await counts(), { objects: 1, versions: 0, uploads: 0, bytes: 100 })
  driver.run(createUpload('u', 'e1'))
  driver.run(putPart('u', 'e1', 1, 'ba'))
  driver.run(putPart('u', 'e1', 1, 'bb'))
  driver.run(putPart('u', 'e1', 2, 'bc'))
  assert.deepEqual(await counts(), { objects: 1, versions: 0, uploads: 1, bytes: 300 })
  driver.run(complete('u', 'e1', [[1, 'bb']]))
  assert.deepEqual(await counts(), { objects: 2, versions: 0, uploads: 0, bytes: 200 })
  driver.run(createUpload('u', 'e2'))
  driver.run(putPart('u', 'e2', 1, 'bd'))
  driver.run(abort('u', 'e2'))
  driver.run(del('u'))
  driver.run({ kind: 'set-write-rules', bucketId, rules: { revision: 1, versioning: 'Enabled' } })
  driver.run(put('k', '03', ['ad']))
  driver.run(del('k', { markerId: 'd1', rulesRevision: 1 }))
  assert.deepEqual(await counts(), { objects: 0, versions: 3, uploads: 0, bytes: 200 })
  driver.run({ kind: 'delete-version', bucketId, key: 'k', versionId: '02', nowMs: 9, conditions: {} })
  assert.deepEqual(await counts(), { objects: 0, versions: 2, uploads: 0, bytes: 100 })
  census(driver.rows)
})

test('what was written before bytes were counted does not make the count negative', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  const { storedBytes: _, ...before } = decodeRow<BucketRow>(
    driver.rows.rows.get(`b/${bucketId}`) ?? new Uint8Array(),
  )
  driver.rows.rows.set(`b/${bucketId}`, encodeRow(before))
  driver.run(del('k'))
  assert.equal((await answerCatalogQuery(driver.rows, { kind: 'count-bucket', bucketId })).bytes, 0)
})
