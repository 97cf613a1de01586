/** PutBucketEncryption: how objects are encrypted that come without encryption headers. */
import { defineOperation } from '../operation.ts'
import { decodeBucketEncryption } from '../s3/bucket-encryption.ts'
import { configure } from '../s3/configure.ts'

export const putBucketEncryption = defineOperation({
  name: 'PutBucketEncryption',
  method: 'PUT',
  target: 'bucket',
  subresource: 'encryption',
  action: 's3:PutEncryptionConfiguration',
  body: 'xml',
  decode: (request) => decodeBucketEncryption(request.document('ServerSideEncryptionConfiguration')),
  call: (encryption, context) => configure(context, { encryption }),
  encode: () => ({ status: 200 }),
})
