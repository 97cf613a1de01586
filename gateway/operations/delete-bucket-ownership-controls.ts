/** DeleteBucketOwnershipControls: the writer owns again, and lists count. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deleteBucketOwnershipControls = defineOperation({
  name: 'DeleteBucketOwnershipControls',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'ownershipControls',
  action: 's3:PutBucketOwnershipControls',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { objectOwnership: null, ownershipImplied: null }),
  encode: () => ({ status: 204 }),
})
