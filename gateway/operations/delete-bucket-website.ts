/** DeleteBucketWebsite: the bucket is no website any more. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketWebsite = defineOperation({
  name: 'DeleteBucketWebsite',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'website',
  action: 's3:DeleteBucketWebsite',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { website: null }),
  encode: () => ({ status: 204 }),
})
