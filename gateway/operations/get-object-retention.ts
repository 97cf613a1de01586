/** GetObjectRetention: until when a version can be neither removed nor replaced. */
import { defineOperation } from '../operation.ts'
import { readVersion } from '../s3/amendment.ts'
import { encodeRetention, requireObjectLock } from '../s3/retention.ts'
import { requestedVersion } from '../s3/versions.ts'

export const getObjectRetention = defineOperation({
  name: 'GetObjectRetention',
  method: 'GET',
  target: 'object',
  subresource: 'retention',
  action: 's3:GetObjectRetention',
  findsObject: true,
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: async (name, context) => {
    // Access is decided on what is found: nothing is told of the bucket before.
    const object = await readVersion(name, context)
    requireObjectLock(context.bucket)
    return object
  },
  encode: ({ version }) => ({ status: 200, body: encodeRetention(version.retention) }),
})
