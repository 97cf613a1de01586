/** PutBucketVersioning: switches versioning on or suspends it, in every catalog group before it answers. */
import { defineOperation } from '../operation.ts'
import { decodeVersioning } from '../s3/versioning.ts'

export const putBucketVersioning = defineOperation({
  name: 'PutBucketVersioning',
  method: 'PUT',
  target: 'bucket',
  subresource: 'versioning',
  action: 's3:PutBucketVersioning',
  note: 'no MFA delete',
  body: 'xml',
  decode: (request) => decodeVersioning(request.document('VersioningConfiguration')),
  call: (versioning, { store, bucket, call }) => store.setWriteRules(bucket, { versioning }, call),
  encode: () => ({ status: 200 }),
})
