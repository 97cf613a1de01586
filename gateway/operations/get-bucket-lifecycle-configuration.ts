/** GetBucketLifecycleConfiguration: the lifecycle rules of a bucket. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodeLifecycle } from '../s3/lifecycle.ts'

export const getBucketLifecycleConfiguration = defineOperation({
  name: 'GetBucketLifecycleConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'lifecycle',
  action: 's3:GetLifecycleConfiguration',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const rules = bucket.configuration?.lifecycle
    if (rules === undefined) throw new S3Error('NoSuchLifecycleConfiguration')
    return rules
  },
  encode: (rules) => ({ status: 200, body: encodeLifecycle(rules) }),
})
