/** GetBucketRequestPayment: the owner pays, always: nothing here is billed to requesters. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const getBucketRequestPayment = defineOperation({
  name: 'GetBucketRequestPayment',
  method: 'GET',
  target: 'bucket',
  subresource: 'requestPayment',
  action: 's3:GetBucketRequestPayment',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({
    status: 200,
    body: document('RequestPaymentConfiguration', element('Payer', 'BucketOwner')),
  }),
})
