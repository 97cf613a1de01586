/** UploadPartCopy: a part made of an object, or of a range of one. */
import { defineOperation } from '../operation.ts'
import { createCopyBody, decodeCopySource, findCopySource, sourceHeaders } from '../s3/copy-source.ts'
import { isoDate } from '../s3/dates.ts'
import {
  checkCustomerKeysAllowed,
  checkUploadKey,
  decodeCustomerKey,
  encryptionHeaders,
} from '../s3/encryption.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { partAlgorithm, partChecksumElement } from '../s3/multipart.ts'
import { parsePartNumber, parseUploadId } from '../s3/names.ts'
import { resolveCopyRange } from '../s3/range.ts'
import { document, element } from '../s3/xml.ts'

export const uploadPartCopy = defineOperation({
  name: 'UploadPartCopy',
  method: 'PUT',
  target: 'object',
  subresource: 'uploadId',
  needs: { query: ['partNumber'], header: 'x-amz-copy-source' },
  action: 's3:PutObject',
  body: 'none',
  slowAnswer: true,
  decode: (request) => {
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      uploadId: parseUploadId(request.param('uploadId')),
      partNumber: parsePartNumber(request.param('partNumber') ?? ''),
      source: decodeCopySource(request),
      range: request.headers['x-amz-copy-source-range'],
      customerKey: decodeCustomerKey(request),
    }
  },
  call: async ({ key, uploadId, partNumber, source, range, customerKey }, context) => {
    const { store, bucket, call, limits } = context
    const { upload } = await store.listParts(
      { bucket, key, uploadId, afterPartNumber: partNumber, limit: 1 },
      call,
    )
    checkCustomerKeysAllowed(customerKey, bucket)
    checkUploadKey(upload, customerKey)
    const { object } = await findCopySource(source, context)
    const body = createCopyBody({
      object,
      range: range === undefined ? undefined : resolveCopyRange(range, object.version.bytes),
      algorithm: partAlgorithm(upload, undefined),
      bytesMax: limits.objectBytesMax,
      customerKey: source.customerKey,
      signal: call.signal,
    })
    const stored = await store.putPart({ bucket, key, uploadId, partNumber, body, customerKey }, call)
    return { ...stored, object, encryption: upload.encryption }
  },
  encode: ({ object, etag, modifiedMs, checksum, encryption }, { customerKey }) => ({
    status: 200,
    headers: { ...encryptionHeaders(encryption, customerKey), ...sourceHeaders(object) },
    body: document(
      'CopyPartResult',
      element('LastModified', isoDate(modifiedMs)),
      element('ETag', `"${etag}"`),
      partChecksumElement({ checksum }),
    ),
  }),
})
