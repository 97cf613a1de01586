/** UploadPart: one part's bytes, under the upload's checksum algorithm. */
import { defineOperation } from '../operation.ts'
import { checksums } from '../s3/checksum.ts'
import {
  checkCustomerKeysAllowed,
  checkUploadKey,
  decodeCustomerKey,
  encryptionHeaders,
} from '../s3/encryption.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { partAlgorithm } from '../s3/multipart.ts'
import { parsePartNumber, parseUploadId } from '../s3/names.ts'

export const uploadPart = defineOperation({
  name: 'UploadPart',
  method: 'PUT',
  target: 'object',
  subresource: 'uploadId',
  needs: { query: ['partNumber'] },
  action: 's3:PutObject',
  body: 'object',
  decode: (request) => {
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      uploadId: parseUploadId(request.param('uploadId')),
      partNumber: parsePartNumber(request.param('partNumber') ?? ''),
      customerKey: decodeCustomerKey(request),
      body: request.body,
    }
  },
  call: async ({ key, uploadId, partNumber, customerKey, body }, { store, bucket, call }) => {
    // No parts wanted, only the upload: it must exist before the client sends, and names the algorithm.
    const { upload } = await store.listParts(
      { bucket, key, uploadId, afterPartNumber: partNumber, limit: 1 },
      call,
    )
    checkCustomerKeysAllowed(customerKey, bucket)
    checkUploadKey(upload, customerKey)
    body.store(partAlgorithm(upload, body.clientAlgorithm))
    const stored = await store.putPart({ bucket, key, uploadId, partNumber, body, customerKey }, call)
    return {
      etag: stored.etag,
      checksum: body.verified ?? stored.checksum,
      encryption: upload.encryption,
    }
  },
  encode: ({ etag, checksum, encryption }, { customerKey }) => ({
    status: 200,
    headers: {
      etag: `"${etag}"`,
      ...encryptionHeaders(encryption, customerKey),
      ...(checksum === undefined ? {} : { [checksums[checksum.algorithm].header]: checksum.value }),
    },
  }),
})
