/**
 * PutBucketPolicy: who may do what in a bucket, beside what identities may.
 *
 * The owner's root can always come back to it (authorise.ts), so `x-amz-confirm-remove-self-bucket-access` has nothing
 * to confirm.
 */
import { defineOperation } from '../operation.ts'
import { checkBucketPolicy, requireOwnAccount } from '../s3/bucket-policy.ts'
import { configure } from '../s3/configure.ts'
import { S3Error } from '../s3/errors.ts'
import { publicAccessOf } from '../s3/public-access.ts'

export const putBucketPolicy = defineOperation({
  name: 'PutBucketPolicy',
  method: 'PUT',
  target: 'bucket',
  subresource: 'policy',
  action: 's3:PutBucketPolicy',
  body: 'xml',
  decode: (request) => ({
    text: request.documentText,
    policy: checkBucketPolicy(request.documentText, request.bucketName),
  }),
  call: async ({ text, policy }, context) => {
    requireOwnAccount(context)
    if (policy.isPublic && publicAccessOf(context.bucket).blockPublicPolicy) {
      throw new S3Error('AccessDenied', 'Public policies are prevented by the BlockPublicPolicy setting.')
    }
    await configure(context, { policy: text })
  },
  encode: () => ({ status: 204 }),
})
