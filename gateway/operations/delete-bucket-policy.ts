/** DeleteBucketPolicy: succeeds whether there was one or not. */
import { defineOperation } from '../operation.ts'
import { requireOwnAccount } from '../s3/bucket-policy.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketPolicy = defineOperation({
  name: 'DeleteBucketPolicy',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'policy',
  action: 's3:DeleteBucketPolicy',
  body: 'none',
  decode: () => undefined,
  call: async (_input, context) => {
    requireOwnAccount(context)
    await configure(context, { policy: null })
  },
  encode: () => ({ status: 204 }),
})
