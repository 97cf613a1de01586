/** CreateMultipartUpload: metadata and checksum of an object that will come in parts. */
import { objectWriteActions } from '../auth/admission.ts'
import { defineOperation } from '../operation.ts'
import { decodeAttributes } from '../s3/attributes.ts'
import { decodeEncryption, protectionFor, protectionHeaders } from '../s3/encryption.ts'
import { decodeMetadata, refuseUnimplemented } from '../s3/headers.ts'
import { announcedChecksum } from '../s3/multipart.ts'
import { newObjectOwner } from '../s3/ownership.ts'
import { requireFuture } from '../s3/retention.ts'
import { document, element } from '../s3/xml.ts'

export const createMultipartUpload = defineOperation({
  name: 'CreateMultipartUpload',
  method: 'POST',
  target: 'object',
  subresource: 'uploads',
  action: 's3:PutObject',
  furtherActions: objectWriteActions,
  body: 'none',
  decode: (request) => {
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      headers: request.headers,
      metadata: decodeMetadata(request.headers),
      attributes: decodeAttributes(request.headers),
      checksum: announcedChecksum(request.headers),
      encryption: decodeEncryption(request),
    }
  },
  call: async (input, context) => {
    const { store, bucket, call, nowMs } = context
    const { key, metadata, checksum, encryption, headers } = input
    requireFuture(input.attributes.retention, nowMs)
    const owner = await newObjectOwner(headers, context)
    const attributes = { ...owner.attributes, ...input.attributes }
    const protection = protectionFor(encryption, bucket)
    const create = { bucket, key, ...owner, metadata, attributes, checksum, protection }
    return { ...(await store.createUpload(create, call)), protection }
  },
  encode: ({ uploadId, protection }, { key, checksum }, { bucket }) => ({
    status: 200,
    headers: {
      ...protectionHeaders(protection),
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
