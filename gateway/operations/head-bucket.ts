/** HeadBucket: exists, is mine, lies here. */
import { defineOperation } from '../operation.ts'

export const headBucket = defineOperation({
  name: 'HeadBucket',
  method: 'HEAD',
  target: 'bucket',
  action: 's3:ListBucket',
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: (_output, _input, { region }) => ({
    status: 200,
    headers: {
      'x-amz-bucket-region': region,
      'x-amz-access-point-alias': 'false',
      'content-type': 'application/xml',
    },
  }),
})
