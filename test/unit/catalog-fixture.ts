/** Builders of catalog commands, and a census of the rows that checks what must always hold. */
import assert from 'node:assert/strict'
import { catalog } from '../../node/core/catalog.ts'
import type {
  BucketRow,
  ExtentsRow,
  MarkerRow,
  NoncurrentRow,
  ObjectRow,
  PartRow,
} from '../../node/core/catalog-rows.ts'
import type { Blob, CatalogCommand, Extent, Part, Upload, Version } from '../../node/core/catalog-types.ts'
import { decodeRow } from '../../node/core/row-codec.ts'
import { Driver, type MemoryRows } from './row-fixture.ts'

export const bucketId = 'b0c4e7'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/** A group in which the bucket is open. */
export function openCatalog(): Driver {
  const driver = new Driver(catalog)
  driver.run({ kind: 'open-bucket', bucketId, attempt: 1 })
  return driver
}

export function sharded(blobId: string): Blob {
  return {
    kind: 'sharded',
    blobId,
    bytes: 1000,
    code: 'cauchy-gf16',
    dataShards: 2,
    parityShards: 1,
    cellBytes: 512,
    generation: 1,
    holders: ['a-1', 'b-1', 'c-1'],
  }
}

export function inline(blobId: string): Blob {
  return { kind: 'inline', blobId, bytes: 3, data: Uint8Array.of(1, 2, 3) }
}

export const metadata = {
  user: { 'recorded-at': '2026-01-01T00:00:00Z' },
  system: { 'content-type': 'video/mp4' },
}
export const dataKey = { wrapping: `aes-256-gcm/${bucketId}`, bytes: Uint8Array.of(9, 8, 7) }

export function version(versionId: string, key: string, extra: Partial<Version> = {}): Version {
  return {
    versionId,
    key,
    bytes: 0,
    etag: `etag-${versionId}`,
    modifiedMs: 1000,
    ownerId: 'user-1',
    metadata,
    extents: [],
    dataKey,
    segmentBytes: 65_536,
    ...extra,
  }
}

/** Puts a version with one blob per id, 100 plaintext bytes each. */
export function put(
  key: string,
  versionId: string,
  blobIds: readonly string[],
  extra: Partial<Command<'put-version'>> & {
    etag?: string
    modifiedMs?: number
    make?: (blobId: string) => Blob
  } = {},
): Command<'put-version'> {
  const { etag, modifiedMs, make, ...rest } = extra
  const extents: Extent[] = blobIds.map((blobId) => ({ blobId, bytes: 100 }))
  return {
    kind: 'put-version',
    bucketId,
    version: version(versionId, key, {
      bytes: 100 * blobIds.length,
      extents,
      ...(etag === undefined ? {} : { etag }),
      ...(modifiedMs === undefined ? {} : { modifiedMs }),
    }),
    blobs: blobIds.map(make ?? sharded),
    conditions: {},
    ...rest,
  }
}

export function del(key: string, extra: Partial<Command<'delete-object'>> = {}): Command<'delete-object'> {
  return { kind: 'delete-object', bucketId, key, nowMs: 5000, conditions: {}, ...extra }
}

export function upload(uploadId: string, key: string): Upload {
  return { uploadId, key, startedMs: 500, ownerId: 'user-1', metadata, dataKey, segmentBytes: 65_536 }
}

export function createUpload(key: string, uploadId: string): Command<'create-upload'> {
  return { kind: 'create-upload', bucketId, upload: upload(uploadId, key) }
}

export function putPart(
  key: string,
  uploadId: string,
  partNumber: number,
  blobId: string,
  extra: Partial<Part> = {},
): Command<'put-part'> {
  const part: Part = { partNumber, blobId, bytes: 100, etag: `etag-${blobId}`, modifiedMs: 600, ...extra }
  return { kind: 'put-part', bucketId, key, uploadId, part, blob: sharded(blobId) }
}

/** `parts`: numbers and the blobs that are expected under them. */
export function complete(
  key: string,
  uploadId: string,
  parts: readonly (readonly [number, string])[],
  extra: Partial<Command<'complete-upload'>> = {},
): Command<'complete-upload'> {
  return {
    kind: 'complete-upload',
    bucketId,
    key,
    uploadId,
    parts: parts.map(([partNumber, blobId]) => ({ partNumber, etag: `etag-${blobId}` })),
    versionId: `c0${uploadId}`,
    etag: `etag-${uploadId}-${parts.length}`,
    nowMs: 700,
    partBytesMin: 100,
    conditions: {},
    ...extra,
  }
}

export function abort(key: string, uploadId: string): Command<'abort-upload'> {
  return { kind: 'abort-upload', bucketId, key, uploadId, nowMs: 800 }
}

/**
 * Counts everything independently of the state machine and checks the invariants of catalog-rows.ts: no version or
 * part refers to a blob that is not there, fenced or used twice; no blob is kept that nothing refers to.
 */
export function census(rows: MemoryRows): {
  referenced: Set<string>
  garbage: Set<string>
  fenced: Set<string>
} {
  const of = (family: string) =>
    [...rows.rows]
      .filter(([key]) => key.startsWith(family))
      .map(([key, value]) => [key.slice(2), value] as const)
  const ids = (family: string) => new Set(of(family).map(([id]) => id))
  const uses: string[] = []
  const extentRows = ids('e/')
  checkHistories(rows)
  for (const [, value] of [...of('o/'), ...of('v/')]) {
    const row = decodeRow<ObjectRow | MarkerRow>(value)
    if ('marker' in row) continue
    const { version: stored, extentsApart } = row
    const apart = rows.get(`e/${stored.versionId}`)
    assert.equal(apart !== undefined, extentsApart)
    extentRows.delete(stored.versionId)
    const extents = apart === undefined ? stored.extents : decodeRow<ExtentsRow>(apart).extents
    assert.equal(
      stored.bytes,
      extents.reduce((sum, extent) => sum + extent.bytes, 0),
    )
    uses.push(...extents.map((extent) => extent.blobId).filter((blobId) => blobId !== ''))
  }
  assert.deepEqual([...extentRows], [], 'extents without a version')
  const uploads = ids('u/')
  for (const [path, value] of of('p/')) {
    assert.ok(uploads.has(path.slice(0, path.lastIndexOf('/'))), 'a part without an upload')
    const { blobId } = decodeRow<PartRow>(value).part
    if (blobId !== '') uses.push(blobId)
  }
  const referenced = new Set([...ids('d/'), ...ids('i/')])
  assert.equal(referenced.size, ids('d/').size + ids('i/').size, 'a blob is sharded or inline')
  assert.deepEqual(uses.toSorted(), [...referenced].sort(), 'each blob is used exactly once')
  const fenced = ids('a/')
  const garbage = ids('g/')
  assert.ok(fenced.isDisjointFrom(referenced), 'no blob in use is fenced')
  assert.ok(garbage.isSubsetOf(fenced), 'garbage is fenced')
  for (const [id, value] of of('b/')) {
    const row = decodeRow<BucketRow>(value)
    const count = (family: string) => [...ids(family)].filter((path) => path.startsWith(`${id}/`)).length
    assert.equal(row.objectCount, count('o/'))
    assert.equal(row.uploadCount, count('u/'))
    assert.equal(row.versionCount ?? 0, count('v/') + count('x/'))
    assert.equal(row.storedBytes ?? 0, bytesOf(rows, id), 'the bytes of versions and parts are counted')
    assert.equal(row.storedBytes ?? 0, bytesIn(rows, id), 'bytes are those of versions and parts')
    if (row.state !== 'open') assert.equal(row.objectCount + row.uploadCount + (row.versionCount ?? 0), 0)
  }
  return { referenced, garbage, fenced }
}

/** What versions and parts of a bucket say about their bytes. */
function bytesIn(rows: MemoryRows, bucketId: string): number {
  let bytes = 0
  for (const [rowKey, value] of rows.rows) {
    if (['o/', 'v/'].some((family) => rowKey.startsWith(`${family}${bucketId}/`))) {
      const row = decodeRow<ObjectRow | MarkerRow>(value)
      bytes += 'version' in row ? row.version.bytes : 0
    } else if (rowKey.startsWith(`p/${bucketId}/`)) {
      bytes += decodeRow<PartRow>(value).part.bytes
    }
  }
  return bytes
}

/** Keys with versions: one current row that is the newest, a place row for each other, at most one null version. */
function checkHistories(rows: MemoryRows): void {
  const expected = new Set<string>()
  const newest = new Map<string, number>()
  const nulls = new Set<string>()
  for (const [rowKey, value] of rows.rows) {
    const family = rowKey.slice(0, 2)
    if (!['o/', 'x/', 'v/'].includes(family)) continue
    const row = decodeRow<ObjectRow | MarkerRow | NoncurrentRow>(value)
    const entry = 'marker' in row ? row.marker : row.version
    const { key, versionId, modifiedMs, versioned } = entry
    const bucket = rowKey.slice(2, rowKey.indexOf('/', 2))
    const name = JSON.stringify([bucket, key])
    if (versioned !== true) {
      assert.ok(!nulls.has(name), `${name} has one null version`)
      nulls.add(name)
    }
    if (family !== 'v/') {
      assert.equal(rowKey.slice(2), `${bucket}/${key}`)
      assert.equal(family, 'marker' in row ? 'x/' : 'o/')
      assert.ok(!newest.has(name), `${name} has one current version or marker`)
      newest.set(name, modifiedMs)
      continue
    }
    assert.ok('noncurrentMs' in row && row.noncurrentMs > modifiedMs)
    const path = `${bucket}/${key.replaceAll('\u0000', '\u0000\u0001')}\u0000\u0000`
    expected.add(`w/${path}${versionId}`)
    assert.deepEqual(decodeRow(rows.get(`w/${path}${versionId}`) ?? new Uint8Array()), { modifiedMs })
    if (versioned === true) continue
    expected.add(`n/${bucket}/${key}`)
    const place = decodeRow(rows.get(`n/${bucket}/${key}`) ?? new Uint8Array())
    assert.deepEqual(place, { modifiedMs, versionId })
  }
  for (const [rowKey, value] of rows.rows) {
    if (rowKey.startsWith('v/')) {
      const row = decodeRow<NoncurrentRow>(value)
      const { key, modifiedMs } = 'marker' in row ? row.marker : row.version
      const name = JSON.stringify([rowKey.slice(2, rowKey.indexOf('/', 2)), key])
      assert.ok((newest.get(name) ?? -1) > modifiedMs, 'what is noncurrent is older than what is current')
    }
    if (rowKey.startsWith('w/') || rowKey.startsWith('n/')) {
      assert.ok(expected.has(rowKey), `${rowKey} leads nowhere`)
    }
  }
}

/** Plaintext bytes of all versions and parts of a bucket. */
function bytesOf(rows: MemoryRows, bucket: string): number {
  let bytes = 0
  for (const [rowKey, value] of rows.rows) {
    if (!['o', 'v', 'p'].some((family) => rowKey.startsWith(`${family}/${bucket}/`))) continue
    const row = decodeRow<ObjectRow | MarkerRow | PartRow>(value)
    if ('part' in row) bytes += row.part.bytes
    else if ('version' in row) bytes += row.version.bytes
  }
  return bytes
}
