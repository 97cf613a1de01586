/** CopyObject: reads and writes through the gateway; the copy is encrypted under a key of its own. */
import type { ObjectMetadata } from '../../node/core/catalog-types.ts'
import { conditionalActions, objectWriteActions } from '../auth/admission.ts'
import { type BucketContext, defineOperation } from '../operation.ts'
import { decodeCopiedAttributes } from '../s3/attributes.ts'
import { checksums, defaultAlgorithm, parseAlgorithm } from '../s3/checksum.ts'
import { writeConditions } from '../s3/conditions.ts'
import { createCopyBody, decodeCopySource, findCopySource, sourceHeaders } from '../s3/copy-source.ts'
import { isoDate } from '../s3/dates.ts'
import {
  asksForEncryption,
  decodeEncryption,
  type EncryptionRequest,
  protectionFor,
  protectionHeaders,
} from '../s3/encryption.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import {
  copiedMetadata,
  decodeMetadata,
  type Headers,
  redirectHeader,
  refuseUnimplemented,
} from '../s3/headers.ts'
import { newObjectOwner } from '../s3/ownership.ts'
import { requireFuture } from '../s3/retention.ts'
import { writtenHeaders } from '../s3/versions.ts'
import { document, element } from '../s3/xml.ts'

export const copyObject = defineOperation({
  name: 'CopyObject',
  method: 'PUT',
  target: 'object',
  needs: { header: 'x-amz-copy-source' },
  action: 's3:PutObject',
  raises: 'ObjectCreated:Copy',
  furtherActions: [...objectWriteActions, ...conditionalActions],
  body: 'none',
  slowAnswer: true,
  decode: (request) => {
    const { headers, key } = request
    refuseUnimplemented(headers)
    const replace = decodeDirective(headers, 'x-amz-metadata-directive') === 'REPLACE'
    const source = decodeCopySource(request)
    // A version that is named is restored by a copy onto its own key.
    const current = source.versionId === undefined
    const same = current && source.bucketName === request.bucketName && source.key === key
    const encryption = decodeEncryption(request)
    if (same && !replace && !changesItself(headers, encryption)) {
      throw new S3Error(
        'InvalidRequest',
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
      )
    }
    const replaced = replace ? decodeMetadata(headers) : undefined
    const named = headers['x-amz-checksum-algorithm']
    return {
      key,
      source,
      headers,
      metadata: (found: ObjectMetadata) => replaced ?? copiedMetadata(found, headers),
      attributes: decodeCopiedAttributes(headers, decodeDirective(headers, 'x-amz-tagging-directive')),
      conditions: writeConditions(headers),
      encryption,
      algorithm: named === undefined ? undefined : parseAlgorithm(named),
    }
  },
  call: async (input, context: BucketContext) => {
    const { store, bucket, call, limits, nowMs } = context
    const owner = await newObjectOwner(input.headers, context)
    const found = await findCopySource(input.source, context)
    const { object } = found
    const attributes = input.attributes(found)
    requireFuture(attributes.retention, nowMs)
    const body = createCopyBody({
      object,
      range: undefined,
      algorithm: input.algorithm ?? object.version.checksum?.algorithm ?? defaultAlgorithm,
      bytesMax: limits.objectBytesMax,
      customerKey: input.source.customerKey,
      signal: call.signal,
    })
    const metadata = input.metadata(object.version.metadata)
    const { key, conditions } = input
    const protection = protectionFor(input.encryption, bucket)
    const written = { ...owner, attributes: { ...owner.attributes, ...attributes } }
    const put = { bucket, key, ...written, metadata, body, conditions, protection }
    return { object, ...(await store.putObject(put, call)), protection }
  },
  encode: ({ object, etag, modifiedMs, checksum, protection, ...written }) => ({
    status: 200,
    headers: { ...protectionHeaders(protection), ...writtenHeaders(written), ...sourceHeaders(object) },
    body: document(
      'CopyObjectResult',
      element('LastModified', isoDate(modifiedMs)),
      element('ETag', `"${etag}"`),
      element('ChecksumType', checksum?.type),
      checksum === undefined ? '' : element(checksums[checksum.algorithm].element, checksum.value),
    ),
  }),
})

function decodeDirective(
  headers: Headers,
  name: 'x-amz-metadata-directive' | 'x-amz-tagging-directive',
): 'COPY' | 'REPLACE' {
  const directive = headers[name] ?? 'COPY'
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    const what = name === 'x-amz-metadata-directive' ? 'metadata' : 'tagging'
    throw invalidArgument(name, directive, `Unknown ${what} directive.`)
  }
  return directive
}

/** Whether a copy onto itself asks for something beside metadata. */
function changesItself(headers: Headers, encryption: EncryptionRequest): boolean {
  return (
    headers['x-amz-storage-class'] !== undefined ||
    headers[redirectHeader] !== undefined ||
    asksForEncryption(encryption) ||
    headers['x-amz-checksum-algorithm'] !== undefined
  )
}
