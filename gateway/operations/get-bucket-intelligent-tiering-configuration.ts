/** GetBucketIntelligentTieringConfiguration: buckets have no tierings, so none has this id. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketIntelligentTieringConfiguration = defineOperation({
  name: 'GetBucketIntelligentTieringConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'intelligent-tiering',
  needs: { query: ['id'] },
  action: 's3:GetIntelligentTieringConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('NoSuchConfiguration')
  },
  encode: () => ({ status: 200 }),
})
