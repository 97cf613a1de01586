/** GetObjectAcl: who is granted what of a version; the bucket's owner everything, where lists do not count. */
import { defineOperation } from '../operation.ts'
import { encodeAcl } from '../s3/acl.ts'
import { amendedHeaders, readVersion } from '../s3/amendment.ts'
import { aclsCount } from '../s3/ownership.ts'
import { requestedVersion } from '../s3/versions.ts'

export const getObjectAcl = defineOperation({
  name: 'GetObjectAcl',
  method: 'GET',
  target: 'object',
  subresource: 'acl',
  action: 's3:GetObjectAcl',
  versionAction: 's3:GetObjectVersionAcl',
  findsObject: true,
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: async (name, context) => {
    const object = await readVersion(name, context)
    const { bucket, accounts } = context
    const { acl, ownerId } = object.version
    const body = aclsCount(bucket)
      ? await encodeAcl(acl, ownerId, accounts)
      : await encodeAcl(undefined, bucket.ownerId, accounts)
    return { object, body }
  },
  encode: ({ object, body }) => ({ status: 200, headers: amendedHeaders(object), body }),
})
