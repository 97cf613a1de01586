/** GetBucketAccelerateConfiguration: transfers are not accelerated; says so once somebody has switched it off. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const getBucketAccelerateConfiguration = defineOperation({
  name: 'GetBucketAccelerateConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'accelerate',
  action: 's3:GetAccelerateConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => bucket.configuration?.acceleration,
  encode: (status) => ({
    status: 200,
    body: document('AccelerateConfiguration', element('Status', status)),
  }),
})
