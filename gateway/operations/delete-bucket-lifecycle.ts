/** DeleteBucketLifecycle: nothing in the bucket ends by itself any more. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketLifecycle = defineOperation({
  name: 'DeleteBucketLifecycle',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'lifecycle',
  action: 's3:PutLifecycleConfiguration',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { lifecycle: null }),
  encode: () => ({ status: 204 }),
})
