/** UploadPartCopy: a part made of an object, or of a range of one. */
import { defineOperation } from '../operation.ts'
import { createCopyBody, decodeCopySource, findCopySource } from '../s3/copy-source.ts'
import { isoDate } from '../s3/dates.ts'
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
    }
  },
  call: async ({ key, uploadId, partNumber, source, range }, context) => {
    const { store, bucket, call, limits } = context
    const { upload } = await store.listParts(
      { bucket, key, uploadId, afterPartNumber: partNumber, limit: 1 },
      call,
    )
    const object = await findCopySource(source, context)
    const body = createCopyBody({
      object,
      range: range === undefined ? undefined : resolveCopyRange(range, object.version.bytes),
      algorithm: partAlgorithm(upload, undefined),
      bytesMax: limits.objectBytesMax,
      signal: call.signal,
    })
    return store.putPart({ bucket, key, uploadId, partNumber, body }, call)
  },
  encode: ({ etag, modifiedMs, checksum }) => ({
    status: 200,
    headers: { 'x-amz-server-side-encryption': 'AES256' },
    body: document(
      'CopyPartResult',
      element('LastModified', isoDate(modifiedMs)),
      element('ETag', `"${etag}"`),
      partChecksumElement({ checksum }),
    ),
  }),
})
