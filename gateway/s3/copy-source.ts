/**
 * The source of a copy: the header that names it, its conditions, and its bytes as a body for the store.
 */
import { isUtf8 } from 'node:buffer'
import type { ChecksumAlgorithm } from '../../node/core/catalog-types.ts'
import type { CustomerKey } from '../object/customer-key.ts'
import {
  type BodyDigests,
  type BodySource,
  type ByteRange,
  type StoredObject,
  shownVersionId,
} from '../object/object-store.ts'
import type { BucketContext, S3Request } from '../operation.ts'
import { tagAction } from './attributes.ts'
import { checksums, createMd5 } from './checksum.ts'
import { checkRead, preconditionFailed, type ReadConditions, readConditions } from './conditions.ts'
import { checkCustomerKey, decodeSourceCustomerKey } from './encryption.ts'
import { invalidArgument, S3Error } from './errors.ts'
import { checkKey } from './names.ts'
import { parseVersionId, requireObject } from './versions.ts'

const header = 'x-amz-copy-source'

export interface CopySource {
  readonly bucketName: string
  readonly key: string
  /** Undefined: the current version. */
  readonly versionId: string | undefined
  readonly conditions: ReadConditions
  readonly expectedOwner: string | undefined
  readonly customerKey: CustomerKey | undefined
}

export interface FoundSource {
  readonly object: StoredObject
  /** Whether this user may read its tags, which a copy takes along. */
  mayReadTags(): boolean
}

function invalidSource(text: string): S3Error {
  return invalidArgument(
    header,
    text,
    'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
  )
}

/** `[/]bucket/key[?versionId=<id>]`, percent-encoded UTF-8. Throws InvalidArgument, InvalidRequest. */
export function decodeCopySource(request: S3Request): CopySource {
  const text = request.headers[header] ?? ''
  // Any other question mark belongs to a key that was not encoded.
  const [path = '', version] = text.split('?versionId=', 2)
  const versionId = version === undefined ? undefined : parseVersionId(version, header)
  const bytes = Buffer.from(path, 'latin1')
  if (!isUtf8(bytes)) throw invalidSource(text)
  let decoded: string
  try {
    // Some clients leave UTF-8 as it is; escapes and bytes both end up as the key's text.
    decoded = decodeURIComponent(bytes.toString('utf8'))
  } catch (error) {
    throw new S3Error('InvalidArgument', 'The copy source is not encoded as a URL', { cause: error })
  }
  const plain = decoded.startsWith('/') ? decoded.slice(1) : decoded
  const slash = plain.indexOf('/')
  const key = plain.slice(slash + 1)
  if (slash <= 0 || key === '') throw invalidSource(text)
  checkKey(key)
  return {
    bucketName: plain.slice(0, slash),
    key,
    versionId,
    conditions: readConditions(request.headers, 'x-amz-copy-source-'),
    expectedOwner: request.headers['x-amz-source-expected-bucket-owner'],
    customerKey: decodeSourceCustomerKey(request),
  }
}

/**
 * Finds the source, if this user may read it. Throws NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion,
 * InvalidRequest, PreconditionFailed.
 */
export async function findCopySource(source: CopySource, context: BucketContext): Promise<FoundSource> {
  const { bucket, findObject, may } = await context.source(source)
  if (source.expectedOwner !== undefined && source.expectedOwner !== bucket.ownerId) {
    throw new S3Error('AccessDenied')
  }
  const found = await findObject({ versionId: source.versionId, expect: 'all' })
  if (source.versionId !== undefined && found !== undefined && 'marker' in found) {
    throw new S3Error(
      'InvalidRequest',
      'The source of a copy request may not specifically refer to a delete marker by version id.',
    )
  }
  const object = requireObject(found, source)
  checkCustomerKey(object.version.encryption, source.customerKey)
  // A copy has no 304: whatever does not hold is a failed precondition.
  if (checkRead(source.conditions, object.version) !== 'holds')
    throw preconditionFailed('x-amz-copy-source-if-*')
  const tagsAction = tagAction(source.versionId !== undefined)
  return { object, mayReadTags: () => may(tagsAction, object.version) }
}

/** The id header of an answer to a copy: which version was read. */
export function sourceHeaders(object: StoredObject): Record<string, string> {
  if (object.versioning === 'Off') return {}
  return { 'x-amz-copy-source-version-id': shownVersionId(object.version) }
}

export interface CopyBodyOptions {
  readonly object: StoredObject
  /** Undefined: all of it. */
  readonly range: ByteRange | undefined
  readonly algorithm: ChecksumAlgorithm
  readonly bytesMax: number
  /** The source's own, see `CopySource`. */
  readonly customerKey: CustomerKey | undefined
  readonly signal: AbortSignal | undefined
}

/** Stored bytes read again as a body: its digests are computed anew, nothing is taken on trust. Throws InvalidRequest when too large. */
export function createCopyBody(options: CopyBodyOptions): BodySource {
  const { object, range, algorithm, bytesMax, customerKey, signal } = options
  const bytes = range === undefined ? object.version.bytes : range.lastByte - range.firstByte + 1
  if (bytes > bytesMax) {
    throw new S3Error(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${bytesMax}`,
    )
  }
  const md5 = createMd5()
  const digester = checksums[algorithm].create()
  async function* read(): AsyncGenerator<Buffer> {
    if (bytes === 0) return
    const whole = range ?? { firstByte: 0, lastByte: bytes - 1 }
    for await (const chunk of object.read(whole, { signal, customerKey })) {
      md5.update(chunk)
      digester.update(chunk)
      yield chunk
    }
  }
  const finish = async (): Promise<BodyDigests> => ({
    md5: md5.digest().toString('hex'),
    checksum: { algorithm, type: 'FULL_OBJECT', value: digester.digest().toString('base64') },
  })
  return { bytes, chunks: read(), finish }
}
