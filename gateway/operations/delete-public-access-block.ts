/** DeletePublicAccessBlock: nothing is blocked any more. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'

export const deletePublicAccessBlock = defineOperation({
  name: 'DeletePublicAccessBlock',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'publicAccessBlock',
  action: 's3:PutBucketPublicAccessBlock',
  body: 'none',
  decode: () => undefined,
  call: (_input, context) => configure(context, { publicAccessBlock: null }),
  encode: () => ({ status: 204 }),
})
