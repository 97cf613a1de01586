/** GetBucketLocation: the region of every bucket of this federation. */
import { defineOperation } from '../operation.ts'
import { s3Namespace, xmlHead } from '../s3/xml.ts'

export const getBucketLocation = defineOperation({
  name: 'GetBucketLocation',
  method: 'GET',
  target: 'bucket',
  subresource: 'location',
  action: 's3:GetBucketLocation',
  anyRegion: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: (_output, _input, { region }) => ({
    status: 200,
    // AWS's first region has no name here.
    body: `${xmlHead}<LocationConstraint xmlns="${s3Namespace}">${region === 'us-east-1' ? '' : region}</LocationConstraint>`,
  }),
})
