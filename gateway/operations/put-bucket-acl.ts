/** PutBucketAcl: a canned list, grants in headers, or a document; one of them. */
import { defineOperation } from '../operation.ts'
import { isPrivateAcl } from '../s3/acl.ts'
import { configure } from '../s3/configure.ts'
import { decodeNewAcl, resolveNewAcl } from '../s3/ownership.ts'

export const putBucketAcl = defineOperation({
  name: 'PutBucketAcl',
  method: 'PUT',
  target: 'bucket',
  subresource: 'acl',
  action: 's3:PutBucketAcl',
  body: 'xml',
  decode: decodeNewAcl,
  call: async (input, context) => {
    const { ownerId } = context.bucket
    const acl = await resolveNewAcl(input, ownerId, context)
    if (acl === undefined) return
    await configure(context, { acl: isPrivateAcl(acl, ownerId) ? null : acl })
  },
  encode: () => ({ status: 200 }),
})
