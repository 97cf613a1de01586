/** GetBucketMetricsConfiguration: buckets have no filtered request metrics, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketMetricsConfiguration = defineOperation({
  name: 'GetBucketMetricsConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'metrics',
  needs: { query: ['id'] },
  action: 's3:GetMetricsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 200 }),
})
