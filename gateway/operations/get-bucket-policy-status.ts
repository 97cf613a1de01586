/**
 * GetBucketPolicyStatus: whether the bucket is public, by its policy or by its list. A bucket without policy is answered,
 * too: the API reference promises "whether the bucket is public", and that is known.
 */
import { compilePolicy } from '../auth/policy/compile.ts'
import { defineOperation } from '../operation.ts'
import { isPublicAcl } from '../s3/acl.ts'
import { aclsCount } from '../s3/ownership.ts'
import { publicAccessOf } from '../s3/public-access.ts'
import { document, element } from '../s3/xml.ts'

export const getBucketPolicyStatus = defineOperation({
  name: 'GetBucketPolicyStatus',
  method: 'GET',
  target: 'bucket',
  subresource: 'policyStatus',
  action: 's3:GetBucketPolicyStatus',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const { policy, acl } = bucket.configuration ?? {}
    const byPolicy = policy !== undefined && compilePolicy(policy, 'resource').isPublic
    const listCounts = aclsCount(bucket) && !publicAccessOf(bucket).ignorePublicAcls
    return byPolicy || (listCounts && isPublicAcl(acl))
  },
  encode: (isPublic) => ({
    status: 200,
    body: document('PolicyStatus', element('IsPublic', isPublic)),
  }),
})
