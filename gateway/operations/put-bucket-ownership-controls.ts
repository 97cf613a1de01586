/** PutBucketOwnershipControls: who owns what is written from now on, and whether lists count. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeOwnershipControls, grantsOthers } from '../s3/ownership.ts'

export const putBucketOwnershipControls = defineOperation({
  name: 'PutBucketOwnershipControls',
  method: 'PUT',
  target: 'bucket',
  subresource: 'ownershipControls',
  action: 's3:PutBucketOwnershipControls',
  body: 'xml',
  decode: (request) => decodeOwnershipControls(request.document('OwnershipControls')),
  call: async (objectOwnership, context) => {
    const { bucket } = context
    // What the list grants would vanish without a word.
    if (
      objectOwnership === 'BucketOwnerEnforced' &&
      grantsOthers(bucket.configuration?.acl, bucket.ownerId)
    ) {
      throw new S3Error('InvalidBucketAclWithObjectOwnership')
    }
    await configure(context, { objectOwnership, ownershipImplied: null })
  },
  encode: () => ({ status: 200 }),
})
