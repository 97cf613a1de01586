/** AbortMultipartUpload: the parts become garbage. */
import { defineOperation } from '../operation.ts'
import { parseUploadId } from '../s3/names.ts'

export const abortMultipartUpload = defineOperation({
  name: 'AbortMultipartUpload',
  method: 'DELETE',
  target: 'object',
  subresource: 'uploadId',
  action: 's3:AbortMultipartUpload',
  body: 'none',
  decode: (request) => ({ key: request.key, uploadId: parseUploadId(request.param('uploadId')) }),
  call: ({ key, uploadId }, { store, bucket, call }) => store.abortUpload({ bucket, key, uploadId }, call),
  encode: () => ({ status: 204 }),
})
