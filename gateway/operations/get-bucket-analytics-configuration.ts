/** GetBucketAnalyticsConfiguration: buckets have no storage class analyses, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketAnalyticsConfiguration = defineOperation({
  name: 'GetBucketAnalyticsConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'analytics',
  needs: { query: ['id'] },
  action: 's3:GetAnalyticsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 200 }),
})
