/** DeleteBucketEncryption: back to the encryption that every bucket has. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketEncryption = defineOperation({
  name: 'DeleteBucketEncryption',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'encryption',
  action: 's3:PutEncryptionConfiguration',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { encryption: null }),
  encode: () => ({ status: 204 }),
})
