/** GetBucketLogging: where lines about requests on a bucket are delivered; nothing when they are not. */
import { defineOperation } from '../operation.ts'
import { encodeLogging } from '../s3/logging.ts'

export const getBucketLogging = defineOperation({
  name: 'GetBucketLogging',
  method: 'GET',
  target: 'bucket',
  subresource: 'logging',
  action: 's3:GetBucketLogging',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => bucket.configuration?.logging,
  encode: (logging) => ({ status: 200, body: encodeLogging(logging) }),
})
