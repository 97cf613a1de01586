/** DeleteBucketMetricsConfiguration: buckets have no filtered request metrics, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const deleteBucketMetricsConfiguration = defineOperation({
  name: 'DeleteBucketMetricsConfiguration',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'metrics',
  needs: { query: ['id'] },
  action: 's3:PutMetricsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 204 }),
})
