/** GetBucketPolicy: the policy as it was put, byte for byte. */
import { defineOperation } from '../operation.ts'
import { requireOwnAccount } from '../s3/bucket-policy.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketPolicy = defineOperation({
  name: 'GetBucketPolicy',
  method: 'GET',
  target: 'bucket',
  subresource: 'policy',
  action: 's3:GetBucketPolicy',
  body: 'none',
  decode: () => undefined,
  call: async (_input, context) => {
    requireOwnAccount(context)
    const policy = context.bucket.configuration?.policy
    if (policy === undefined) throw new S3Error('NoSuchBucketPolicy')
    return policy
  },
  encode: (policy) => ({ status: 200, headers: { 'content-type': 'application/json' }, body: policy }),
})
