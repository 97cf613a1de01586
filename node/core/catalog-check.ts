/**
 * What a well-formed catalog command and query look like; what is not is answered with BadMessage before any row is
 * read, so that no message of a faulty peer can stop a replica.
 */
import { aclShape, retentionShape, tagsShape, writeRulesShape } from './bucket-configuration-check.ts'
import { catalogLimits } from './catalog-rows.ts'
import type {
  Blob,
  CatalogCommand,
  CatalogQuery,
  ChecksumAlgorithm,
  Extent,
  Version,
} from './catalog-types.ts'
import { eventNames } from './notification.ts'
import { objectEncryptionShape as encryption } from './object-encryption.ts'
import {
  bytes,
  dictionary,
  either,
  integer,
  list,
  matching,
  oneOf,
  record,
  type Shape,
  text,
  union,
} from './shape.ts'

const id = matching(/^[0-9a-f]{1,64}$/)
/** Empty parts have no blob. */
const blobRef = matching(/^[0-9a-f]{0,64}$/)
const key = text(catalogLimits.keyBytesMax)
const name = text(256)
/** Up to the last instant of JavaScript's Date: leaves room for "one later than". */
const time = integer(0, 8.64e15)
const etag = text(128)
const partNumber = integer(1, catalogLimits.partNumberMax)
const ids = list(id, { max: catalogLimits.idsMax })

/** Every ChecksumAlgorithm; append-only. */
const algorithms: Readonly<Record<ChecksumAlgorithm, true>> = {
  CRC32: true,
  CRC32C: true,
  CRC64NVME: true,
  SHA1: true,
  SHA256: true,
  SHA512: true,
  MD5: true,
  XXHASH64: true,
  XXHASH3: true,
  XXHASH128: true,
}
const algorithm = oneOf(...Object.keys(algorithms))
const checksumType = oneOf('FULL_OBJECT', 'COMPOSITE')
const checksum = record({ algorithm, type: checksumType, value: text(128) })

const shardedBlob = record({
  kind: oneOf('sharded'),
  blobId: id,
  bytes: integer(0, catalogLimits.blobBytesMax),
  code: name,
  dataShards: integer(1, catalogLimits.shardsMax),
  parityShards: integer(0, catalogLimits.shardsMax),
  cellBytes: integer(1, 0xffff_ffff),
  generation: integer(0),
  holders: list(name, { min: 1, max: catalogLimits.shardsMax }),
})
const inlineBlob = record({
  kind: oneOf('inline'),
  blobId: id,
  bytes: integer(0, catalogLimits.inlineBytesMax),
  data: bytes(catalogLimits.inlineBytesMax),
})
const blob = union({ sharded: shardedBlob, inline: inlineBlob })

const headers = dictionary(text(catalogLimits.metadataBytesMax), { max: catalogLimits.metadataEntriesMax })
const metadata = record({ user: headers, system: headers })
const dataKey = record({ wrapping: name, bytes: bytes(1024) })
const conditions = record(
  {},
  { ifMatch: etag, ifNoneMatch: etag, ifMatchModifiedMs: time, ifMatchBytes: integer(0) },
)

const revision = integer(0)
const yes = oneOf(true)
const attributes = {
  retention: retentionShape,
  legalHold: oneOf(true, false),
  tags: tagsShape,
  acl: aclShape,
  encryption,
}
const nothing: Shape = (value) => (value === null ? undefined : 'is not null')
const amendment = union({
  retention: record({ kind: oneOf('retention'), retention: either(nothing, retentionShape) }),
  'legal-hold': record({ kind: oneOf('legal-hold'), on: oneOf(true, false) }),
  tags: record({ kind: oneOf('tags'), tags: either(nothing, tagsShape) }),
  acl: record({ kind: oneOf('acl'), acl: either(nothing, aclShape) }),
})

const extent = record({ blobId: blobRef, bytes: integer(0) }, { partNumber, etag, checksum })
const version = record(
  {
    versionId: id,
    key,
    bytes: integer(0),
    etag,
    modifiedMs: time,
    ownerId: name,
    metadata,
    extents: list(extent, { max: catalogLimits.partNumberMax }),
    dataKey,
    segmentBytes: integer(1),
  },
  { checksum, ...attributes },
)
const upload = record(
  { uploadId: id, key, startedMs: time, ownerId: name, metadata, dataKey, segmentBytes: integer(1) },
  { checksum: record({ algorithm, type: checksumType }), ...attributes },
)
const part = record({ partNumber, blobId: blobRef, bytes: integer(0), etag, modifiedMs: time }, { checksum })
const listedPart = record({ partNumber: integer(0), etag }, { checksum: text(128) })

const target = text(2048)
const noticeEvent = record({
  name: oneOf(...eventNames),
  targets: list(record({ ruleId: text(1024), target }), { min: 1, max: 100 }),
})
const notice = record(
  { bucketName: name, ownerId: name, principalId: target, sourceIp: name, requestId: name },
  { done: noticeEvent, removed: noticeEvent, marked: noticeEvent },
)

const commands: Readonly<Record<CatalogCommand['kind'], Shape>> = {
  'open-bucket': record({ bucketId: id, attempt: integer(0) }),
  'close-bucket': record({ bucketId: id, attempt: integer(0) }),
  'set-write-rules': record({ bucketId: id, rules: writeRulesShape }),
  'put-version': record(
    { bucketId: id, version, blobs: list(blob, { max: catalogLimits.partNumberMax }), conditions },
    { rulesRevision: revision, notice },
  ),
  'delete-object': record(
    { bucketId: id, key, nowMs: time, conditions },
    { versionId: id, markerId: id, ownerId: name, rulesRevision: revision, notice },
  ),
  'delete-version': record(
    { bucketId: id, key, versionId: id, nowMs: time, conditions },
    { bypassGovernance: yes, notice },
  ),
  'amend-version': record(
    { bucketId: id, key, versionId: id, change: amendment, nowMs: time, amendId: id },
    { bypassGovernance: yes, afterAmendId: id, rulesRevision: revision, notice },
  ),
  'create-upload': record({ bucketId: id, upload }, { rulesRevision: revision }),
  'put-part': record({ bucketId: id, key, uploadId: id, part }, { blob }),
  'complete-upload': record(
    {
      bucketId: id,
      key,
      uploadId: id,
      parts: list(listedPart, { max: catalogLimits.partNumberMax }),
      versionId: id,
      etag,
      nowMs: time,
      partBytesMin: integer(0),
      conditions,
    },
    { checksum, rulesRevision: revision, notice },
  ),
  'abort-upload': record({ bucketId: id, key, uploadId: id }, { nowMs: time }),
  'relocate-shard': record(
    {
      blobId: id,
      generation: integer(0),
      shardIndex: integer(0, catalogLimits.shardsMax - 1),
      from: name,
      to: name,
    },
    { step: oneOf('claim'), claimId: id },
  ),
  'abandon-blobs': record({ blobIds: ids, nowMs: time }),
  'forget-garbage': record({ blobIds: ids }),
  'forget-fences': record({ ids, nowMs: time }),
  'forget-events': record({ eventIds: ids }),
}

const marker = text(4 * catalogLimits.keyBytesMax)
const limit = integer(0, catalogLimits.pageMax)
const byteRange = record({ firstByte: integer(0), lastByte: integer(0) })

const queries: Readonly<Record<CatalogQuery['kind'], Shape>> = {
  'find-object': record(
    {
      bucketId: id,
      key: marker,
      blobsFor: either(oneOf('all', 'none'), byteRange, record({ partNumber: integer(0) })),
    },
    { versionId: marker },
  ),
  'list-objects': record({ bucketId: id, prefix: marker, delimiter: marker, after: marker, limit }),
  'list-versions': record({
    bucketId: id,
    prefix: marker,
    delimiter: marker,
    afterKey: marker,
    afterVersionId: marker,
    limit,
  }),
  'list-uploads': record({
    bucketId: id,
    prefix: marker,
    delimiter: marker,
    afterKey: marker,
    afterUploadId: marker,
    limit,
  }),
  'list-parts': record({ bucketId: id, key: marker, uploadId: marker, afterPartNumber: integer(0), limit }),
  'find-upload': record({ bucketId: id, key: marker, uploadId: marker }),
  'find-blobs': record({ blobIds: ids }),
  'count-bucket': record({ bucketId: id }),
  'list-events': record({ after: blobRef, limit }),
}

const commandShape = union(commands)
const queryShape = union(queries)

/** What is wrong with a command, or undefined when it is a CatalogCommand. */
export function wrongWithCommand(command: unknown): string | undefined {
  const wrong = commandShape(command)
  if (wrong !== undefined) return wrong
  const known = command as CatalogCommand
  if (known.kind === 'put-version') return wrongWithVersion(known.version, known.blobs)
  if (known.kind === 'put-part') {
    if ((known.part.bytes === 0) !== (known.blob === undefined))
      return '.blob is there for an empty part, or missing'
    if (known.part.blobId !== (known.blob?.blobId ?? '')) return '.part names another blob'
    return known.blob === undefined ? undefined : wrongWithBlob(known.blob)
  }
  return undefined
}

/** What is wrong with a query, or undefined when it is a CatalogQuery. */
export function wrongWithQuery(query: unknown): string | undefined {
  return queryShape(query)
}

/** A version is the concatenation of its extents, each of which has a blob of its own, or is empty and has none. */
function wrongWithVersion(version: Version, blobs: readonly Blob[]): string | undefined {
  const stored = version.extents.filter((each: Extent) => each.blobId !== '')
  if (version.extents.some((each: Extent) => each.blobId === '' && each.bytes > 0))
    return '.version lacks a blob'
  const named = new Set(stored.map((each: Extent) => each.blobId))
  const given = new Set(blobs.map((each) => each.blobId))
  if (named.size !== stored.length || given.size !== blobs.length) return '.version repeats a blob'
  if (named.size !== given.size || !given.isSupersetOf(named)) return '.blobs are not those of the extents'
  const bytes = version.extents.reduce((sum: number, each: Extent) => sum + each.bytes, 0)
  if (bytes !== version.bytes) return '.version.bytes is not the sum of its extents'
  return blobs.map(wrongWithBlob).find((wrong) => wrong !== undefined)
}

function wrongWithBlob(blob: Blob): string | undefined {
  if (blob.kind === 'inline')
    return blob.data.length === blob.bytes ? undefined : '.blob has other bytes than it says'
  const shards = blob.dataShards + blob.parityShards
  return blob.holders.length === shards ? undefined : '.blob has not one holder per shard'
}
