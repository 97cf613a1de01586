/** GetBucketVersioning: whether new objects become versions. Says nothing for a bucket that never had versioning. */
import { defineOperation } from '../operation.ts'
import { encodeVersioning } from '../s3/versioning.ts'

export const getBucketVersioning = defineOperation({
  name: 'GetBucketVersioning',
  method: 'GET',
  target: 'bucket',
  subresource: 'versioning',
  action: 's3:GetBucketVersioning',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => bucket.writeRules?.versioning ?? 'Off',
  encode: (state) => ({ status: 200, body: encodeVersioning(state) }),
})
