/** GetObjectLegalHold: whether a version is held, whatever its retention. */
import { defineOperation } from '../operation.ts'
import { readVersion } from '../s3/amendment.ts'
import { encodeLegalHold, requireObjectLock } from '../s3/retention.ts'
import { requestedVersion } from '../s3/versions.ts'

export const getObjectLegalHold = defineOperation({
  name: 'GetObjectLegalHold',
  method: 'GET',
  target: 'object',
  subresource: 'legal-hold',
  action: 's3:GetObjectLegalHold',
  findsObject: true,
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: async (name, context) => {
    // Access is decided on what is found: nothing is told of the bucket before.
    const object = await readVersion(name, context)
    requireObjectLock(context.bucket)
    return object
  },
  encode: ({ version }) => ({ status: 200, body: encodeLegalHold(version.legalHold) }),
})
