/** DeleteBucketTagging: takes all tags from a bucket. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketTagging = defineOperation({
  name: 'DeleteBucketTagging',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'tagging',
  action: 's3:PutBucketTagging',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { tags: null }),
  encode: () => ({ status: 204 }),
})
