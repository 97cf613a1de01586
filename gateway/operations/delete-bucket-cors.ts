/** DeleteBucketCors: no page may talk to the bucket any more. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketCors = defineOperation({
  name: 'DeleteBucketCors',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'cors',
  action: 's3:PutBucketCORS',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { cors: null }),
  encode: () => ({ status: 204 }),
})
