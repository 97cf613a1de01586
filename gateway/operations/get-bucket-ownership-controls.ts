/** GetBucketOwnershipControls: who owns what is written, if that was set. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodeOwnershipControls } from '../s3/ownership.ts'

export const getBucketOwnershipControls = defineOperation({
  name: 'GetBucketOwnershipControls',
  method: 'GET',
  target: 'bucket',
  subresource: 'ownershipControls',
  action: 's3:GetBucketOwnershipControls',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const ownership = bucket.configuration?.objectOwnership
    if (ownership === undefined) throw new S3Error('OwnershipControlsNotFoundError')
    return ownership
  },
  encode: (ownership) => ({ status: 200, body: encodeOwnershipControls(ownership) }),
})
