/** GetPublicAccessBlock: the four settings, if they were set. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodePublicAccessBlock } from '../s3/public-access.ts'

export const getPublicAccessBlock = defineOperation({
  name: 'GetPublicAccessBlock',
  method: 'GET',
  target: 'bucket',
  subresource: 'publicAccessBlock',
  action: 's3:GetBucketPublicAccessBlock',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const block = bucket.configuration?.publicAccessBlock
    if (block === undefined) throw new S3Error('NoSuchPublicAccessBlockConfiguration')
    return block
  },
  encode: (block) => ({ status: 200, body: encodePublicAccessBlock(block) }),
})
