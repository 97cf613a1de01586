/** PutPublicAccessBlock: what public access is refused and ignored, whatever policies and lists say. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { decodePublicAccessBlock } from '../s3/public-access.ts'

export const putPublicAccessBlock = defineOperation({
  name: 'PutPublicAccessBlock',
  method: 'PUT',
  target: 'bucket',
  subresource: 'publicAccessBlock',
  action: 's3:PutBucketPublicAccessBlock',
  body: 'xml',
  decode: (request) => decodePublicAccessBlock(request.document('PublicAccessBlockConfiguration')),
  call: (publicAccessBlock, context) => configure(context, { publicAccessBlock }),
  encode: () => ({ status: 200 }),
})
