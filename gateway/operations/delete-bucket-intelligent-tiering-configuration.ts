/** DeleteBucketIntelligentTieringConfiguration: buckets have no tierings, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const deleteBucketIntelligentTieringConfiguration = defineOperation({
  name: 'DeleteBucketIntelligentTieringConfiguration',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'intelligent-tiering',
  needs: { query: ['id'] },
  action: 's3:PutIntelligentTieringConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 204 }),
})
