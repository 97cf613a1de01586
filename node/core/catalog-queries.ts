/**
 * Reads of a catalog group. The host makes sure that its rows are as new as a linearizable read needs (ReadIndex).
 *
 * Invariant: what belongs together (a version, its extents, its blobs) is read in one turn of the event loop, between
 * two commands, so that an answer never mixes two states. Listings scan and may see commands that are applied
 * meanwhile; each entry is right by itself, and what existed all the time is there.
 */
import { ClusterError } from '../errors.ts'
import { prefixEnd } from './byte-order.ts'
import { requireOpen, rulesOf } from './catalog-buckets.ts'
import { wrongWithQuery } from './catalog-check.ts'
import { listEvents } from './catalog-events.ts'
import { currentOf, findEntry, isMarker, wholeVersion } from './catalog-history.ts'
import { commonPrefixOf, listRows } from './catalog-listing.ts'
import {
  type BucketRow,
  escapeKey,
  type GarbageRow,
  type InlineBlobRow,
  type ObjectRow,
  type PartRow,
  rowFamilies,
  rowKeys,
  type ShardedBlobRow,
  type UploadName,
  type UploadRow,
} from './catalog-rows.ts'
import type {
  Blob,
  BucketCounts,
  CatalogAnswers,
  CatalogQuery,
  Extent,
  ListedUpload,
  Part,
  Upload,
  Version,
} from './catalog-types.ts'
import { listedObject, listVersions } from './catalog-version-listing.ts'
import { invariant } from './invariant.ts'
import { decodedRows } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { Row, RowReader, RowSource } from './rows.ts'

type Query<K extends CatalogQuery['kind']> = Extract<CatalogQuery, { kind: K }>

/**
 * Answers a query.
 * Throws ClusterError: BadMessage (malformed query), NoSuchBucket (unknown to this group), StaleBucket (closed: look
 * the name up again), NoSuchUpload (list-parts, find-upload).
 */
export async function answerCatalogQuery<K extends CatalogQuery['kind']>(
  source: RowSource,
  query: Query<K>,
): Promise<CatalogAnswers[K]>
export async function answerCatalogQuery(
  source: RowSource,
  query: CatalogQuery,
): Promise<CatalogAnswers[CatalogQuery['kind']]> {
  const wrong = wrongWithQuery(query)
  if (wrong !== undefined) throw new ClusterError('BadMessage', `catalog query${wrong}`)
  if (query.kind !== 'find-blobs' && query.kind !== 'list-events') {
    requireOpen(read<BucketRow>(source, rowKeys.bucket(query.bucketId)), query.bucketId)
  }
  switch (query.kind) {
    case 'find-object':
      return findObject(source, query)
    case 'list-objects':
      return listObjects(source, query)
    case 'list-versions':
      return listVersions(source, query, rulesOf(decodedRows(source), query.bucketId))
    case 'list-uploads':
      return listUploads(source, query)
    case 'list-parts':
      return listParts(source, query)
    case 'find-upload':
      return findUpload(source, query)
    case 'find-blobs':
      return findBlobs(source, query)
    case 'count-bucket':
      return countsOf(source, query.bucketId)
    case 'list-events':
      return listEvents(source, query)
  }
}

function countsOf(source: RowReader, bucketId: string): BucketCounts {
  const row = requireOpen(read<BucketRow>(source, rowKeys.bucket(bucketId)), bucketId)
  const { objectCount, versionCount = 0, uploadCount, storedBytes = 0 } = row
  return { objects: objectCount, versions: versionCount, uploads: uploadCount, bytes: storedBytes }
}

function findObject(source: RowReader, query: Query<'find-object'>): CatalogAnswers['find-object'] {
  const rows = decodedRows(source)
  const { bucketId, key, versionId } = query
  const rules = rulesOf(rows, bucketId)
  const row =
    versionId === undefined
      ? currentOf(rows, { bucketId, key }, rules)
      : findEntry(rows, { bucketId, key }, { versionId, rules })?.row
  const versioning = rules.versioning === 'Off' ? {} : { versioning: rules.versioning }
  if (row === undefined) return { version: undefined, blobs: [], ...versioning }
  if (isMarker(row)) return { version: undefined, blobs: [], marker: row.marker, ...versioning }
  const version = wholeVersion(rows, row)
  return { version, blobs: blobsOf(source, extentsFor(version, query.blobsFor)), ...versioning }
}

/** The extents whose blobs a reader needs. A part number on an object that has no parts: 1 is the whole object. */
function extentsFor(version: Version, wanted: Query<'find-object'>['blobsFor']): readonly Extent[] {
  if (wanted === 'all') return version.extents
  if (wanted === 'none') return []
  if ('partNumber' in wanted) {
    const inParts = version.extents.some((extent) => extent.partNumber !== undefined)
    if (!inParts) return wanted.partNumber === 1 ? version.extents : []
    return version.extents.filter((extent) => extent.partNumber === wanted.partNumber)
  }
  let start = 0
  return version.extents.filter((extent) => {
    const firstByte = start
    start += extent.bytes
    return extent.bytes > 0 && firstByte <= wanted.lastByte && start > wanted.firstByte
  })
}

function blobsOf(rows: RowReader, extents: readonly Extent[]): Blob[] {
  return extents.filter((extent) => extent.blobId !== '').map((extent) => blobOf(rows, extent.blobId))
}

function blobOf(rows: RowReader, blobId: string): Blob {
  const row =
    read<ShardedBlobRow>(rows, rowKeys.shardedBlob(blobId)) ??
    read<InlineBlobRow>(rows, rowKeys.inlineBlob(blobId))
  invariant(row !== undefined, `blob ${blobId} of a version has a row`)
  return row.blob
}

async function listObjects(
  source: RowSource,
  query: Query<'list-objects'>,
): Promise<CatalogAnswers['list-objects']> {
  const family = rowFamilies.objectsOf(query.bucketId)
  const rowKey = (key: string) => family + key
  const rolled = commonPrefixOf(query.after, query)
  return listRows(source, {
    ...query,
    rowKey,
    // U+0000 makes the smallest key above. A common prefix that was returned stands for all keys under it.
    from:
      rolled === query.after
        ? prefixEnd(rowKey(rolled))
        : rowKey(query.after === '' ? '' : `${query.after}\u0000`),
    keyOf: (row) => row.key.slice(family.length),
    read: (row) => listedObject(decodeRow<ObjectRow>(row.value).version),
  })
}

async function listUploads(
  source: RowSource,
  query: Query<'list-uploads'>,
): Promise<CatalogAnswers['list-uploads']> {
  const rowKey = (key: string) => rowFamilies.uploadsIn(query.bucketId) + escapeKey(key)
  return listRows(source, {
    ...query,
    rowKey,
    from: afterUpload(query),
    keyOf: (row) => decodeRow<UploadRow>(row.value).upload.key,
    read: listedUpload,
  })
}

/** S3: a key marker alone stands for all uploads of that key, with an upload id for those up to it. */
function afterUpload(query: Query<'list-uploads'>): string {
  const { bucketId, afterKey, afterUploadId } = query
  if (afterKey === '') return rowFamilies.uploadsIn(bucketId)
  const rolled = commonPrefixOf(afterKey, query)
  if (rolled === afterKey) return prefixEnd(rowFamilies.uploadsIn(bucketId) + escapeKey(rolled))
  const ofKey = rowKeys.uploadsOf(bucketId, afterKey)
  return afterUploadId === '' ? prefixEnd(ofKey) : `${ofKey}${afterUploadId}\u0000`
}

async function listParts(
  source: RowSource,
  query: Query<'list-parts'>,
): Promise<CatalogAnswers['list-parts']> {
  const upload = requireUpload(source, query)
  if (query.limit === 0) return { upload, parts: [], truncated: false }
  const parts = await scanParts(source, query, { after: query.afterPartNumber, limit: query.limit + 1 })
  return { upload, parts: parts.slice(0, query.limit), truncated: parts.length > query.limit }
}

async function findUpload(
  source: RowSource,
  query: Query<'find-upload'>,
): Promise<CatalogAnswers['find-upload']> {
  const upload = requireUpload(source, query)
  return { upload, parts: await scanParts(source, query, { after: 0 }) }
}

async function scanParts(
  source: RowSource,
  name: UploadName,
  page: { after: number; limit?: number },
): Promise<Part[]> {
  const parts: Part[] = []
  const range = { gte: rowKeys.part(name, page.after + 1), lt: prefixEnd(rowKeys.partsOf(name)) }
  for await (const row of source.scan(page.limit === undefined ? range : { ...range, limit: page.limit })) {
    parts.push(decodeRow<PartRow>(row.value).part)
  }
  return parts
}

function findBlobs(rows: RowReader, query: Query<'find-blobs'>): CatalogAnswers['find-blobs'] {
  return { blobs: query.blobIds.map((blobId) => ({ blobId, ...stateOf(rows, blobId) })) }
}

/** `abandoned`: dead, and every holder has confirmed or never had a shard; a shard that turns up may go. */
function stateOf(
  rows: RowReader,
  blobId: string,
): Omit<CatalogAnswers['find-blobs']['blobs'][number], 'blobId'> {
  const sharded = read<ShardedBlobRow>(rows, rowKeys.shardedBlob(blobId))
  if (sharded !== undefined) {
    const { holders, generation } = sharded.blob
    const claims = sharded.claims?.map(({ shardIndex, to }) => ({ shardIndex, to }))
    return { state: 'referenced', holders, generation, ...(claims === undefined ? {} : { claims }) }
  }
  const garbage = read<GarbageRow>(rows, rowKeys.garbage(blobId))
  if (garbage !== undefined)
    return { state: 'garbage', holders: garbage.holders, generation: garbage.generation }
  const inline = rows.get(rowKeys.inlineBlob(blobId)) !== undefined
  const fenced = rows.get(rowKeys.fence(blobId)) !== undefined
  return { state: inline ? 'referenced' : fenced ? 'abandoned' : 'unknown', holders: [], generation: 0 }
}

function requireUpload(rows: RowReader, name: UploadName): Upload {
  const row = read<UploadRow>(rows, rowKeys.upload(name))
  if (row === undefined) {
    throw new ClusterError('NoSuchUpload', 'no such upload in progress', {
      details: { uploadId: name.uploadId },
    })
  }
  return row.upload
}

function listedUpload(row: Row): ListedUpload {
  const { key, uploadId, startedMs, ownerId, checksum } = decodeRow<UploadRow>(row.value).upload
  return { key, uploadId, startedMs, ownerId, ...(checksum === undefined ? {} : { checksum }) }
}

function read<T extends object>(rows: RowReader, key: string): T | undefined {
  const bytes = rows.get(key)
  return bytes === undefined ? undefined : decodeRow<T>(bytes)
}
