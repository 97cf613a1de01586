/** CompleteMultipartUpload: the parts listed become the object, at once. Sent again after success, it succeeds again. */
import type { Checksum, Part, Upload, Version } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { conditionalActions } from '../auth/admission.ts'
import { gatewayLimits } from '../limits.ts'
import { objectOf, type PutResult } from '../object/object-store.ts'
import { type BucketContext, defineOperation, type S3Request } from '../operation.ts'
import { checksumAlgorithms, checksums, checksumText, combineParts } from '../s3/checksum.ts'
import { bareEtag, writeConditions } from '../s3/conditions.ts'
import { checkUploadKey, decodeCustomerKey, encryptionHeaders } from '../s3/encryption.ts'
import { S3Error } from '../s3/errors.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { multipartEtag, statedChecksum, uploadChecksum } from '../s3/multipart.ts'
import { parseUploadId } from '../s3/names.ts'
import { writtenHeaders } from '../s3/versions.ts'
import { childText, document, element, requiredText, type XmlNode } from '../s3/xml.ts'

interface NamedPart {
  readonly partNumber: number
  readonly etag: string
  /** Base64 by algorithm, as the client repeats it. */
  readonly checksums: Readonly<Record<string, string>>
}

type Input = ReturnType<typeof decode>

type Completed = Omit<PutResult, 'modifiedMs'> & Pick<Version, 'encryption'>

export const completeMultipartUpload = defineOperation({
  name: 'CompleteMultipartUpload',
  method: 'POST',
  target: 'object',
  subresource: 'uploadId',
  action: 's3:PutObject',
  raises: 'ObjectCreated:CompleteMultipartUpload',
  furtherActions: conditionalActions,
  body: 'xml',
  documentBytesMax: gatewayLimits.completeXmlBytesMax,
  // x-amz-checksum-* speak of the object here.
  bodyChecksum: false,
  slowAnswer: true,
  decode,
  call: async (input, context: BucketContext): Promise<Completed> => {
    const { store, bucket, call, limits } = context
    const { key, uploadId, conditions } = input
    let found: { upload: Upload; parts: readonly Part[] }
    try {
      found = await store.findUpload({ bucket, key, uploadId }, call)
    } catch (error) {
      return completedBefore(input, context, error)
    }
    const { encryption } = found.upload
    // AWS asks for it of uploads that have checksums; every upload has one here.
    checkUploadKey(found.upload, input.customerKey)
    const parts = chooseParts(input, found.parts)
    checkSize(parts, limits.uploadedBytesMax)
    const checksum = wholeChecksum(input, found.upload, parts)
    const completed = await store.completeUpload(
      {
        bucket,
        key,
        uploadId,
        parts: parts.map(({ partNumber, etag, checksum: own }) => ({
          partNumber,
          etag,
          ...(own === undefined ? {} : { checksum: own.value }),
        })),
        etag: multipartEtag(parts.map((part) => part.etag)),
        checksum,
        conditions,
      },
      call,
    )
    return { ...completed, ...(encryption === undefined ? {} : { encryption }) }
  },
  encode: ({ etag, checksum, encryption, ...written }, input, { bucket }) => ({
    status: 200,
    headers: { ...encryptionHeaders(encryption, input.customerKey), ...writtenHeaders(written) },
    body: document(
      'CompleteMultipartUploadResult',
      element('Location', input.location),
      element('Bucket', bucket.name),
      element('Key', input.key),
      element('ETag', `"${etag}"`),
      element('ChecksumType', checksum?.type),
      checksum === undefined
        ? ''
        : element(checksums[checksum.algorithm].element, checksumText(checksum, input.parts.length)),
    ),
  }),
})

function decode(request: S3Request) {
  refuseUnimplemented(request.headers)
  const nodes = request.document('CompleteMultipartUpload').children.get('Part') ?? []
  if (nodes.length === 0 || nodes.length > gatewayLimits.partNumberMax) throw new S3Error('MalformedXML')
  const size = request.headers['x-amz-mp-object-size']
  if (size !== undefined && !/^\d{1,16}$/.test(size)) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-mp-object-size header is invalid.')
  }
  const path = encodeURI(request.key)
  return {
    key: request.key,
    uploadId: parseUploadId(request.param('uploadId')),
    parts: lastOfEach(nodes.map(decodePart)),
    conditions: writeConditions(request.headers),
    stated: statedChecksum(request.headers),
    type: request.headers['x-amz-checksum-type']?.toUpperCase(),
    bytes: size === undefined ? undefined : Number(size),
    customerKey: decodeCustomerKey(request),
    location: request.virtualHost
      ? `${request.origin}/${path}`
      : `${request.origin}/${request.bucketName}/${path}`,
  }
}

/** Of a number that is named twice in a row the last one counts: so a client lists a part that it sent again. */
function lastOfEach(parts: readonly NamedPart[]): NamedPart[] {
  return parts.filter((part, at) => part.partNumber !== parts[at + 1]?.partNumber)
}

function decodePart(node: XmlNode): NamedPart {
  const number = requiredText(node, 'PartNumber').trim()
  if (!/^\d{1,5}$/.test(number)) throw new S3Error('MalformedXML')
  const named: Record<string, string> = {}
  for (const algorithm of checksumAlgorithms) {
    const value = childText(node, checksums[algorithm].element)
    if (value !== undefined) named[algorithm] = value.trim()
  }
  return { partNumber: Number(number), etag: bareEtag(requiredText(node, 'ETag')), checksums: named }
}

/**
 * The stored parts that the client names. Throws InvalidPartOrder, InvalidPart; the catalog checks again.
 * A checksum that the client repeats has to be the part's. None is required: the reference says so ("Required: No"),
 * and each part was verified when it came. (AWS has been seen to insist on them for composite uploads.)
 */
function chooseParts(input: Input, stored: readonly Part[]): Part[] {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]))
  let previous = 0
  for (const { partNumber } of input.parts) {
    if (partNumber <= previous) {
      throw new S3Error('InvalidPartOrder', undefined, { details: { UploadId: input.uploadId } })
    }
    previous = partNumber
  }
  return input.parts.map((named) => {
    const part = byNumber.get(named.partNumber)
    const own = part?.checksum === undefined ? undefined : named.checksums[part.checksum.algorithm]
    const matches = part?.etag === named.etag && (own === undefined || own === part.checksum?.value)
    if (part === undefined || !matches) {
      throw new S3Error('InvalidPart', undefined, {
        details: { UploadId: input.uploadId, PartNumber: named.partNumber, ETag: named.etag },
      })
    }
    return part
  })
}

/** Throws EntityTooLarge. */
function checkSize(parts: readonly Part[], bytesMax: number): void {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  if (bytes <= bytesMax) return
  throw new S3Error('EntityTooLarge', undefined, {
    details: { ProposedSize: bytes, MaxSizeAllowed: bytesMax },
  })
}

/** Throws InvalidRequest and BadDigest when what the client says of the whole is not what its parts make. */
function wholeChecksum(input: Input, upload: Upload, parts: readonly Part[]): Checksum | undefined {
  const { algorithm, type } = uploadChecksum(upload)
  if (input.type !== undefined && input.type !== type) {
    throw new S3Error(
      'InvalidRequest',
      `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    )
  }
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  if (input.bytes !== undefined && input.bytes !== bytes) {
    throw new S3Error(
      'InvalidRequest',
      `The provided 'x-amz-mp-object-size' header value ${input.bytes} does not match what was computed: ${bytes}`,
    )
  }
  const checksum = combineParts(algorithm, type, parts)
  const { stated } = input
  if (stated === undefined) return checksum
  if (stated.algorithm !== algorithm) {
    throw new S3Error(
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must use the same algorithm.`,
    )
  }
  if (stated.value !== checksum?.value) {
    throw new S3Error(
      'BadDigest',
      `The ${algorithm.toLowerCase()} you specified did not match the calculated checksum.`,
    )
  }
  return checksum
}

/**
 * The upload is gone: when the object is what these parts make, an earlier answer was lost and this is its repetition.
 * Rethrows `error` otherwise.
 */
async function completedBefore(
  input: Input,
  { store, bucket, call }: BucketContext,
  error: unknown,
): Promise<Completed> {
  if (!(error instanceof ClusterError) || error.code !== 'NoSuchUpload') throw error
  const found = objectOf(await store.findObject({ bucket, key: input.key, expect: 'nothing' }, call))
  const etag = multipartEtag(input.parts.map((part) => part.etag))
  if (found?.version.etag !== etag) throw error
  const { versionId, versioned, checksum, encryption } = found.version
  const versioning = versioned === true ? 'Enabled' : 'Off'
  return { versionId, versioning, etag, checksum, ...(encryption === undefined ? {} : { encryption }) }
}
