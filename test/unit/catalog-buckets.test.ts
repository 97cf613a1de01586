import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { abort, bucketId, census, createUpload, del, openCatalog, put, putPart } from './catalog-fixture.ts'
import { Driver } from './row-fixture.ts'

const open = { kind: 'open-bucket', bucketId }
const close = { kind: 'close-bucket', bucketId }
const drop = { kind: 'drop-bucket', bucketId }
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
  assert.deepEqual(driver.refused(close), {
    code: 'BucketNotEmpty',
    details: { bucketId, objectCount: 1, uploadCount: 0 },
  })
  driver.run(del('k'))
  driver.run(createUpload('k', 'e1'))
  assert.equal(driver.refused(close).code, 'BucketNotEmpty')
  driver.run(abort('k', 'e1'))
  driver.run(close)
  census(driver.rows)
})

test('a closed bucket refuses every write with StaleBucket and can be opened again', async () => {
  const driver = openCatalog()
  driver.run(close)
  driver.run(close)
  for (const write of [
    put('k', '01', ['aa']),
    del('k'),
    createUpload('k', 'e1'),
    putPart('k', 'e1', 1, 'aa'),
    abort('k', 'e1'),
  ]) {
    assert.equal(driver.refused(write).code, 'StaleBucket')
  }
  assert.deepEqual((await answerCatalogQuery(driver.rows, list)).items, [])
  driver.run(open)
  driver.run(put('k', '01', ['aa']))
})

test('only a closed bucket is dropped, so dropping never loses an object', () => {
  const driver = openCatalog()
  assert.equal(driver.refused(drop).code, 'StaleBucket')
  driver.run(put('k', '01', ['aa']))
  assert.equal(driver.refused(drop).code, 'StaleBucket')
  driver.run(del('k'))
  driver.run(close)
  driver.run(drop)
  driver.run(drop)
})

test('a dropped bucket stays dropped: late commands cannot revive it', async () => {
  const driver = openCatalog()
  driver.run(close)
  driver.run(drop)
  assert.equal(driver.refused(open).code, 'StaleBucket')
  assert.equal(driver.refused(close).code, 'StaleBucket')
  assert.equal(driver.refused(put('k', '01', ['aa'])).code, 'StaleBucket')
  await assert.rejects(answerCatalogQuery(driver.rows, list), { code: 'StaleBucket' })
})

test('a bucket that never opened here can be closed and dropped, and does not open afterwards', () => {
  const driver = new Driver(catalog)
  driver.run(close)
  driver.run(drop)
  assert.equal(driver.refused(open).code, 'StaleBucket')
  const other = new Driver(catalog)
  other.run(drop)
  assert.equal(other.refused(open).code, 'StaleBucket')
})

test('opening twice keeps the counts', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  driver.run(open)
  assert.equal(driver.refused(close).code, 'BucketNotEmpty')
})
