import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { catalogLimits } from '../../node/core/catalog-rows.ts'
import type { CatalogReplies } from '../../node/core/catalog-types.ts'
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
  upload,
} from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

/** An upload `e1` of key `k` with parts 1 (aa), 2 (bb), 5 (cc). */
function withParts(): Driver {
  const driver = openCatalog()
  driver.run(createUpload('k', 'e1'))
  driver.run(putPart('k', 'e1', 1, 'aa'))
  driver.run(putPart('k', 'e1', 2, 'bb'))
  driver.run(putPart('k', 'e1', 5, 'cc'))
  return driver
}

const all = [
  [1, 'aa'],
  [2, 'bb'],
  [5, 'cc'],
] as const

test('a completed upload is a version whose extents are the parts, and parts are readable by number', async () => {
  const driver = withParts()
  const reply = driver.run<CatalogReplies['complete-upload']>(complete('k', 'e1', all))
  assert.deepEqual(reply, { versionId: 'c0e1', etag: 'etag-e1-3', bytes: 300, modifiedMs: 700 })
  const { version, blobs } = await answerCatalogQuery(driver.rows, {
    kind: 'find-object',
    bucketId,
    key: 'k',
    blobsFor: { partNumber: 5 },
  })
  assert.deepEqual(
    blobs.map((blob) => blob.blobId),
    ['cc'],
  )
  assert.deepEqual(
    version?.extents.map(({ partNumber, blobId }) => [partNumber, blobId]),
    all.map((each) => [...each]),
  )
  assert.deepEqual(version?.metadata, upload('e1', 'k').metadata)
  assert.deepEqual([...census(driver.rows).referenced].sort(), ['aa', 'bb', 'cc'])
})

test('parts that are not listed become garbage', () => {
  const driver = withParts()
  driver.run(
    complete('k', 'e1', [
      [1, 'aa'],
      [5, 'cc'],
    ]),
  )
  const { referenced, garbage } = census(driver.rows)
  assert.deepEqual([...referenced].sort(), ['aa', 'cc'])
  assert.deepEqual([...garbage], ['bb'])
})

test('completing again is answered like the first time, whatever the second asks, also after the version has ended', () => {
  const driver = withParts()
  const first = driver.run(complete('k', 'e1', all, { conditions: { ifNoneMatch: '*' } }))
  const before = new Map(driver.rows.rows)
  assert.deepEqual(driver.run(complete('k', 'e1', all, { conditions: { ifNoneMatch: '*' } })), first)
  assert.deepEqual(driver.run(complete('k', 'e1', [], { versionId: 'ff' })), first)
  assert.deepEqual(driver.rows.rows, before)
  driver.run(put('k', '02', ['dd']))
  assert.deepEqual(driver.run(complete('k', 'e1', all)), first)
  assert.deepEqual([...census(driver.rows).referenced], ['dd'])
})

test('the answers of completed uploads are bounded, and one that was dropped does no harm', () => {
  const driver = openCatalog()
  const max = catalogLimits.completedUploadsMax
  const id = (at: number) => at.toString(16).padStart(8, '0')
  for (let at = 0; at < max + 5; at += 1) {
    driver.run(createUpload('k', id(at)))
    driver.run(putPart('k', id(at), 1, `b10b${id(at)}`))
    driver.run(complete('k', id(at), [[1, `b10b${id(at)}`]]))
  }
  const kept = [...driver.rows.rows.keys()].filter((key) => key.startsWith('c/')).length
  const ring = [...driver.rows.rows.keys()].filter((key) => key.startsWith('r/')).length
  assert.equal(kept, max)
  assert.equal(ring, max)
  assert.equal(driver.refused(complete('k', id(4), [[1, `b10b${id(4)}`]])).code, 'NoSuchUpload')
  driver.run(complete('k', id(5), [[1, `b10b${id(5)}`]]))
  assert.deepEqual([...census(driver.rows).referenced], [`b10b${id(max + 4)}`])
})

test('completing checks order, existence, ETag, checksum and size of the parts, naming the part', () => {
  const driver = withParts()
  driver.run(
    putPart('k', 'e1', 7, 'dd', {
      bytes: 99,
      checksum: { algorithm: 'CRC32', type: 'FULL_OBJECT', value: 'AAAAAA==' },
    }),
  )
  const refused = (parts: readonly (readonly [number, string])[], extra = {}) => {
    const { code, details } = driver.refused(complete('k', 'e1', parts, extra))
    return [code, details.partNumber]
  }
  assert.deepEqual(
    refused([
      [2, 'bb'],
      [1, 'aa'],
    ]),
    ['InvalidPartOrder', 1],
  )
  assert.deepEqual(
    refused([
      [1, 'aa'],
      [1, 'aa'],
    ]),
    ['InvalidPartOrder', 1],
  )
  assert.deepEqual(refused([[0, 'aa']]), ['InvalidPartOrder', 0])
  assert.deepEqual(
    refused([
      [1, 'aa'],
      [3, 'bb'],
    ]),
    ['InvalidPart', 3],
  )
  assert.deepEqual(refused([[1, 'bb']]), ['InvalidPart', 1])
  assert.deepEqual(refused([]), ['InvalidPart', undefined])
  assert.deepEqual(
    refused(
      [
        [1, 'aa'],
        [2, 'bb'],
      ],
      { partBytesMin: 101 },
    ),
    ['PartTooSmall', 1],
  )
  const parts = [{ partNumber: 7, etag: 'etag-dd', checksum: 'BBBBBB==' }]
  assert.deepEqual(refused([], { parts }), ['InvalidPart', 7])
  assert.deepEqual(refused([], { parts: [{ partNumber: 1, etag: 'etag-aa', checksum: 'AAAAAA==' }] }), [
    'InvalidPart',
    1,
  ])
  assert.equal(census(driver.rows).referenced.size, 4)
  driver.run(complete('k', 'e1', [], { parts: [{ partNumber: 7, etag: 'etag-dd', checksum: 'AAAAAA==' }] }))
})

test('the last part may be small, and a single one too', () => {
  const driver = openCatalog()
  driver.run(createUpload('k', 'e1'))
  driver.run(putPart('k', 'e1', 1, 'aa', { bytes: 100 }))
  driver.run(putPart('k', 'e1', 2, 'bb', { bytes: 1 }))
  assert.equal(
    driver.run<{ bytes: number }>(
      complete('k', 'e1', [
        [1, 'aa'],
        [2, 'bb'],
      ]),
    ).bytes,
    101,
  )
})

test('completing obeys conditions and ends the version it replaces', () => {
  const driver = withParts()
  driver.run(put('k', '01', ['dd'], { etag: 'e0' }))
  const refusedWith = (conditions: object) => driver.refused(complete('k', 'e1', all, { conditions })).code
  assert.equal(refusedWith({ ifNoneMatch: '*' }), 'PreconditionFailed')
  assert.equal(refusedWith({ ifMatch: 'other' }), 'PreconditionFailed')
  driver.run(complete('k', 'e1', all, { conditions: { ifMatch: 'e0' } }))
  assert.deepEqual([...census(driver.rows).garbage], ['dd'])
})

test('a part that is put again replaces the older one, whose blob becomes garbage', () => {
  const driver = withParts()
  driver.run(putPart('k', 'e1', 1, 'dd'))
  assert.deepEqual([...census(driver.rows).garbage], ['aa'])
  assert.equal(driver.refused(complete('k', 'e1', [[1, 'aa']])).code, 'InvalidPart')
  assert.equal(driver.refused(putPart('k', 'e1', 1, 'aa')).code, 'VersionAbandoned')
  driver.run(complete('k', 'e1', [[1, 'dd']]))
})

test('a put-part that is repeated is answered like the first time', () => {
  const driver = withParts()
  const before = new Map(driver.rows.rows)
  assert.deepEqual(driver.run(putPart('k', 'e1', 1, 'aa')), { modifiedMs: 600 })
  assert.deepEqual(driver.rows.rows, before)
})

test('a put-part or an abort that arrives after completion touches nothing of the version', () => {
  const driver = withParts()
  driver.run(complete('k', 'e1', all))
  const before = new Map(driver.rows.rows)
  // A refusal would let the gateway delete the shards of a blob that the version has.
  assert.deepEqual(driver.run(putPart('k', 'e1', 1, 'aa')), { modifiedMs: 600 })
  assert.equal(driver.refused(putPart('k', 'e1', 9, 'dd')).code, 'NoSuchUpload')
  assert.equal(driver.refused(abort('k', 'e1')).code, 'NoSuchUpload')
  assert.equal(driver.refused(createUpload('k', 'e1')).code, 'NoSuchUpload')
  assert.deepEqual(driver.rows.rows, before)
})

test('aborting releases all parts, and nothing revives the upload', () => {
  const driver = withParts()
  driver.run(abort('k', 'e1'))
  assert.deepEqual([...census(driver.rows).garbage].sort(), ['aa', 'bb', 'cc'])
  for (const late of [
    complete('k', 'e1', all),
    putPart('k', 'e1', 1, 'ee'),
    abort('k', 'e1'),
    createUpload('k', 'e1'),
  ]) {
    assert.equal(driver.refused(late).code, 'NoSuchUpload')
  }
  assert.equal(census(driver.rows).referenced.size, 0)
})

test('an empty part has no blob; it is replaced, completed and read like any other', async () => {
  const driver = openCatalog()
  const empty = (partNumber: number) => {
    const { blob: _, ...command } = putPart('k', 'e1', partNumber, 'aa', {
      bytes: 0,
      blobId: '',
      etag: 'empty',
    })
    return command
  }
  driver.run(createUpload('k', 'e1'))
  driver.run(empty(1))
  driver.run(putPart('k', 'e1', 1, 'bb'))
  driver.run(empty(2))
  driver.run(empty(3))
  driver.run(putPart('k', 'e1', 3, 'cc'))
  driver.run(empty(3))
  assert.deepEqual([...census(driver.rows).garbage], ['cc'])
  const parts = [
    { partNumber: 1, etag: 'etag-bb' },
    { partNumber: 3, etag: 'empty' },
  ]
  assert.equal(driver.run<{ bytes: number }>(complete('k', 'e1', [], { parts })).bytes, 100)
  const query = { kind: 'find-object', bucketId, key: 'k', blobsFor: 'all' } as const
  assert.deepEqual(
    (await answerCatalogQuery(driver.rows, query)).blobs.map((blob) => blob.blobId),
    ['bb'],
  )
  driver.run(del('k'))
  assert.equal(census(driver.rows).referenced.size, 0)
  assert.equal(driver.refused({ ...putPart('k', 'e2', 1, 'dd'), blob: undefined }).code, 'BadMessage')
  assert.equal(driver.refused(putPart('k', 'e2', 1, 'dd', { bytes: 0 })).code, 'BadMessage')
})

test('aborting without a time takes that of the newest part', () => {
  const driver = withParts()
  const { kind, key, uploadId } = abort('k', 'e1')
  driver.run({ kind, bucketId, key, uploadId })
  assert.equal(census(driver.rows).garbage.size, 3)
})

test('an upload is known under its own key only', () => {
  const driver = withParts()
  assert.equal(driver.refused(putPart('k2', 'e1', 1, 'dd')).code, 'NoSuchUpload')
  assert.equal(driver.refused(complete('k2', 'e1', all)).code, 'NoSuchUpload')
  assert.equal(driver.refused(abort('', 'e1')).code, 'NoSuchUpload')
})

test('keys that contain the separators of row keys do not reach other uploads', () => {
  const driver = openCatalog()
  const keys = [
    'k',
    'k\u0000',
    'k\u0000\u0000',
    'k\u0000\u0000e1',
    'k/e1',
    'k\u0000\u0001',
    'k\u0000\u0000e1/00001',
  ]
  keys.forEach((key, at) => {
    driver.run(createUpload(key, 'e1'))
    driver.run(putPart(key, 'e1', 1, `aa${at}`))
  })
  assert.equal(census(driver.rows).referenced.size, keys.length)
  keys.forEach((key, at) => {
    if (at % 2 === 0) driver.run(abort(key, 'e1'))
    else driver.run(complete(key, 'e1', [[1, `aa${at}`]], { versionId: `c0${at}` }))
    const { referenced, garbage } = census(driver.rows)
    assert.equal(garbage.size, Math.floor(at / 2) + 1)
    assert.equal(referenced.size, keys.length - garbage.size)
  })
})

test('parts are listed in order of their numbers, page by page', async () => {
  const driver = openCatalog()
  driver.run(createUpload('k', 'e1'))
  for (const partNumber of [10_000, 9, 10, 1, 999])
    driver.run(putPart('k', 'e1', partNumber, `aa${partNumber}`))
  const list = async (afterPartNumber: number, limit: number) => {
    const query = { kind: 'list-parts', bucketId, key: 'k', uploadId: 'e1', afterPartNumber, limit } as const
    const { parts, truncated } = await answerCatalogQuery(driver.rows, query)
    return [parts.map((part) => part.partNumber), truncated]
  }
  assert.deepEqual(await list(0, 2), [[1, 9], true])
  assert.deepEqual(await list(9, 3), [[10, 999, 10_000], false])
  assert.deepEqual(await list(10_000, 3), [[], false])
  assert.deepEqual(await list(0, 0), [[], false])
  const found = await answerCatalogQuery(driver.rows, {
    kind: 'find-upload',
    bucketId,
    key: 'k',
    uploadId: 'e1',
  })
  assert.deepEqual(found.upload, upload('e1', 'k'))
  assert.equal(found.parts.length, 5)
  const unknown = { kind: 'find-upload', bucketId, key: 'k', uploadId: 'e2' } as const
  await assert.rejects(answerCatalogQuery(driver.rows, unknown), { code: 'NoSuchUpload' })
})

test('an upload of 10,000 parts is completed, read back whole and deleted', async () => {
  const driver = openCatalog()
  driver.run(createUpload('k', 'e1'))
  const parts = Array.from(
    { length: 10_000 },
    (_, at) => [at + 1, `b${at.toString(16).padStart(5, '0')}`] as const,
  )
  for (const [partNumber, blobId] of parts) driver.run(putPart('k', 'e1', partNumber, blobId))
  assert.equal(driver.run<{ bytes: number }>(complete('k', 'e1', parts)).bytes, 1_000_000)
  const { blobs } = await answerCatalogQuery(driver.rows, {
    kind: 'find-object',
    bucketId,
    key: 'k',
    blobsFor: 'all',
  })
  assert.deepEqual(
    blobs.map((blob) => blob.blobId),
    parts.map(([, blobId]) => blobId),
  )
  driver.run(del('k'))
  assert.equal(census(driver.rows).garbage.size, 10_000)
})
