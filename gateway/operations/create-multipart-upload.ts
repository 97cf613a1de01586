/** CreateMultipartUpload: metadata and checksum of an object that will come in parts. */
import { defineOperation } from '../operation.ts'
import { decodeMetadata, refuseUnimplemented } from '../s3/headers.ts'
import { announcedChecksum } from '../s3/multipart.ts'
import { document, element } from '../s3/xml.ts'

export const createMultipartUpload = defineOperation({
  name: 'CreateMultipartUpload',
  method: 'POST',
  target: 'object',
  subresource: 'uploads',
  action: 's3:PutObject',
  body: 'none',
  decode: (request) => {
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      metadata: decodeMetadata(request.headers),
      checksum: announcedChecksum(request.headers),
    }
  },
  call: ({ key, metadata, checksum }, { store, bucket, call, identity }) =>
    store.createUpload({ bucket, key, ownerId: identity.accountId, metadata, checksum }, call),
  encode: ({ uploadId }, { key, checksum }, { bucket }) => ({
    status: 200,
    headers: {
      'x-amz-server-side-encryption': 'AES256',
      ...(checksum === undefined
        ? {}
        : { 'x-amz-checksum-algorithm': checksum.algorithm, 'x-amz-checksum-type': checksum.type }),
    },
    body: document(
      'InitiateMultipartUploadResult',
      element('Bucket', bucket.name),
      element('Key', key),
      element('UploadId', uploadId),
    ),
  }),
})
