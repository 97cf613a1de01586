/** GetBucketAcl: who is granted what; the owner everything, when lists do not count. */
import { defineOperation } from '../operation.ts'
import { encodeAcl } from '../s3/acl.ts'
import { aclsCount } from '../s3/ownership.ts'

export const getBucketAcl = defineOperation({
  name: 'GetBucketAcl',
  method: 'GET',
  target: 'bucket',
  subresource: 'acl',
  action: 's3:GetBucketAcl',
  body: 'none',
  decode: () => undefined,
  call: (_input, { bucket, accounts }) => {
    const acl = aclsCount(bucket) ? bucket.configuration?.acl : undefined
    return encodeAcl(acl, bucket.ownerId, accounts)
  },
  encode: (body) => ({ status: 200, body }),
})
