/** PutBucketRequestPayment: takes the owner as payer, which is how it is; requesters cannot be billed. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { checkChildren, requiredText, word } from '../s3/xml.ts'

export const putBucketRequestPayment = defineOperation({
  name: 'PutBucketRequestPayment',
  method: 'PUT',
  target: 'bucket',
  subresource: 'requestPayment',
  action: 's3:PutBucketRequestPayment',
  note: 'BucketOwner only',
  unused: true,
  body: 'xml',
  decode: (request) => {
    const root = request.document('RequestPaymentConfiguration')
    checkChildren(root, ['Payer'])
    return word(requiredText(root, 'Payer'), ['BucketOwner', 'Requester'])
  },
  call: async (payer) => {
    if (payer === 'Requester') throw new S3Error('NotImplemented', 'Requesters cannot be billed.')
  },
  encode: () => ({ status: 200 }),
})
