/** DeleteBucketAnalyticsConfiguration: buckets have no storage class analyses, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const deleteBucketAnalyticsConfiguration = defineOperation({
  name: 'DeleteBucketAnalyticsConfiguration',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'analytics',
  needs: { query: ['id'] },
  action: 's3:PutAnalyticsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 204 }),
})
