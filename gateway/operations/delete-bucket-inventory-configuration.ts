/** DeleteBucketInventoryConfiguration: buckets have no inventories, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const deleteBucketInventoryConfiguration = defineOperation({
  name: 'DeleteBucketInventoryConfiguration',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'inventory',
  needs: { query: ['id'] },
  action: 's3:PutInventoryConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 204 }),
})
