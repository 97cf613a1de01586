/**
 * What GetObject and HeadObject share: which bytes are asked, whether the conditions hold, and the headers of the answer.
 */
import type { Checksum, Extent, Version } from '../../node/core/catalog-types.ts'
import type { CustomerKey } from '../object/customer-key.ts'
import type { ByteRange, StoredObject } from '../object/object-store.ts'
import type { BucketContext, S3Request } from '../operation.ts'
import { addAttributes } from './attributes.ts'
import { checksums, checksumText } from './checksum.ts'
import { checkRead, preconditionFailed, type ReadConditions, readConditions } from './conditions.ts'
import { httpDate } from './dates.ts'
import {
  checkCustomerKey,
  decodeCustomerKey,
  encryptionHeaders,
  refuseWriteEncryption,
} from './encryption.ts'
import { S3Error } from './errors.ts'
import { expirationHeader } from './expiration.ts'
import { decodeOverrides, encodeMetadata } from './headers.ts'
import { objectParts } from './multipart.ts'
import { parsePartNumber } from './names.ts'
import { contentRange, parseRange, type RangeRequest, resolveRange } from './range.ts'
import { requestedVersion, requireObject, versionHeaders } from './versions.ts'

export interface ObjectReadInput {
  readonly key: string
  readonly versionId: string | undefined
  readonly range: RangeRequest | undefined
  readonly partNumber: number | undefined
  readonly conditions: ReadConditions
  readonly overrides: Readonly<Record<string, string>>
  readonly withChecksum: boolean
  readonly customerKey: CustomerKey | undefined
}

/** Throws InvalidArgument, InvalidRequest. */
export function decodeObjectRead(request: S3Request): ObjectReadInput {
  refuseWriteEncryption(request.headers)
  const part = request.param('partNumber')
  const range = request.headers.range
  if (part !== undefined && range !== undefined) {
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
  }
  return {
    key: request.key,
    versionId: requestedVersion(request),
    range: parseRange(range),
    partNumber: part === undefined ? undefined : parsePartNumber(part),
    conditions: readConditions(request.headers),
    overrides: decodeOverrides((name) => request.param(name)),
    withChecksum: request.headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED',
    customerKey: decodeCustomerKey(request),
  }
}

/** What a read found, and the bytes of it that were asked for; `range` undefined: all. */
export interface ObjectRead {
  readonly object: StoredObject
  readonly range: ByteRange | undefined
  readonly bytes: number
  readonly headers: Record<string, string>
}

/**
 * Throws NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker), InvalidPart, InvalidRequest (a customer's key that
 * lacks, is wrong or not called for), PreconditionFailed, NotModified, InvalidRange; the first of them that applies.
 */
export async function readObject(
  input: ObjectReadInput,
  context: BucketContext,
  wants: 'headers' | 'bytes',
): Promise<ObjectRead> {
  const { key, versionId } = input
  // AWS: a link that anybody may follow must not choose how browsers take the answer.
  if (context.identity.kind === 'anonymous' && Object.keys(input.overrides).length > 0) {
    throw new S3Error(
      'InvalidRequest',
      'Request specific response headers cannot be used for anonymous GET requests.',
    )
  }
  const expect = wants === 'headers' ? 'nothing' : expectation(input.range)
  const object = requireObject(await context.findObject({ key, versionId, expect }), { versionId })
  const { version } = object
  const part = input.partNumber === undefined ? undefined : findPart(version, input.partNumber)
  checkCustomerKey(version.encryption, input.customerKey)
  checkConditions(input.conditions, version)
  const headers = { ...objectHeaders(object), ...encryptionHeaders(version.encryption, input.customerKey) }
  // Rules expire what is current; a version that was named may be any.
  if (versionId === undefined) Object.assign(headers, expirationHeader(context.bucket, version))
  const may = (action: string) => context.may(action, version)
  addAttributes(version, headers, { may, named: versionId !== undefined })
  Object.assign(headers, input.overrides)
  const range =
    part?.range ?? (input.range === undefined ? undefined : resolveRange(input.range, version.bytes))
  if (range !== undefined) headers['content-range'] = contentRange(range, version.bytes)
  if (part?.count !== undefined) headers['x-amz-mp-parts-count'] = String(part.count)
  if (input.withChecksum) addChecksum(headers, version, { part, partial: range !== undefined })
  const bytes = range === undefined ? version.bytes : range.lastByte - range.firstByte + 1
  headers['content-length'] = String(bytes)
  return { object, range, bytes, headers }
}

function expectation(range: RangeRequest | undefined): 'all' | ByteRange {
  if (range?.kind !== 'from' || range.last === undefined) return 'all'
  return { firstByte: range.first, lastByte: range.last }
}

function checkConditions(conditions: ReadConditions, version: Version): void {
  const verdict = checkRead(conditions, version)
  if (verdict === 'failed') {
    throw preconditionFailed(conditions.ifMatch === undefined ? 'If-Unmodified-Since' : 'If-Match')
  }
  if (verdict === 'not-modified') {
    throw new S3Error('NotModified', undefined, {
      headers: { etag: `"${version.etag}"`, 'last-modified': httpDate(version.modifiedMs) },
    })
  }
}

function objectHeaders(object: StoredObject): Record<string, string> {
  const { version } = object
  const headers: Record<string, string> = {
    'accept-ranges': 'bytes',
    'last-modified': httpDate(version.modifiedMs),
    etag: `"${version.etag}"`,
  }
  Object.assign(headers, versionHeaders(version, object))
  encodeMetadata(version.metadata, headers)
  return headers
}

interface FoundPart {
  readonly range: ByteRange | undefined
  /** Undefined for objects that were not uploaded in parts. */
  readonly count: number | undefined
  readonly extent: Extent | undefined
}

/** The bytes of one part; an object that was put whole is its own part 1. Throws InvalidPart. */
function findPart(version: Version, partNumber: number): FoundPart {
  const whole = version.bytes === 0 ? undefined : { firstByte: 0, lastByte: version.bytes - 1 }
  const numbers = new Set<number>()
  let firstByte = -1
  let lastByte = -1
  let position = 0
  let found: Extent | undefined
  for (const extent of version.extents) {
    if (extent.partNumber !== undefined) numbers.add(extent.partNumber)
    if (extent.partNumber === partNumber) {
      if (firstByte < 0) firstByte = position
      lastByte = position + extent.bytes - 1
      found = extent
    }
    position += extent.bytes
  }
  if (numbers.size === 0 && partNumber === 1) return { range: whole, count: undefined, extent: undefined }
  if (found === undefined) {
    // AWS has been seen to answer 416 InvalidPartNumber and documents neither; ceph/s3-tests count on this.
    throw new S3Error('InvalidPart', 'The requested partnumber is not satisfiable', {
      details: { PartNumberRequested: partNumber, ActualPartCount: Math.max(1, numbers.size) },
    })
  }
  const range = lastByte < firstByte ? undefined : { firstByte, lastByte }
  return { range, count: numbers.size, extent: found }
}

function addChecksum(
  headers: Record<string, string>,
  version: Version,
  { part, partial }: { part: FoundPart | undefined; partial: boolean },
): void {
  const own: Checksum | undefined = part?.extent?.checksum
  const whole = part === undefined ? !partial : part.count === undefined
  const checksum = own ?? (whole ? version.checksum : undefined)
  if (checksum === undefined) return
  headers[checksums[checksum.algorithm].header] =
    own?.value ?? checksumText(checksum, objectParts(version).length)
  // The type says how the object's checksum came about, also where a part's own one is given.
  headers['x-amz-checksum-type'] = (version.checksum ?? checksum).type
}
