/** PutBucketAccelerateConfiguration: takes `Suspended`, which is how it is; there is nothing that accelerates. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { S3Error } from '../s3/errors.ts'
import { checkChildren, requiredText, word } from '../s3/xml.ts'

export const putBucketAccelerateConfiguration = defineOperation({
  name: 'PutBucketAccelerateConfiguration',
  method: 'PUT',
  target: 'bucket',
  subresource: 'accelerate',
  action: 's3:PutAccelerateConfiguration',
  note: 'Suspended only',
  unused: true,
  body: 'xml',
  decode: (request) => {
    const root = request.document('AccelerateConfiguration')
    checkChildren(root, ['Status'])
    return word(requiredText(root, 'Status'), ['Enabled', 'Suspended'])
  },
  call: async (status, context) => {
    if (status === 'Enabled') throw new S3Error('NotImplemented', 'Transfers cannot be accelerated.')
    await configure(context, { acceleration: status })
  },
  encode: () => ({ status: 200 }),
})
