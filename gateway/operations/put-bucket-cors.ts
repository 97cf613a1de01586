/** PutBucketCors: replaces the rules for pages that talk to a bucket. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { decodeCors } from '../s3/cors.ts'

export const putBucketCors = defineOperation({
  name: 'PutBucketCors',
  method: 'PUT',
  target: 'bucket',
  subresource: 'cors',
  action: 's3:PutBucketCORS',
  body: 'xml',
  decode: (request) => decodeCors(request.document('CORSConfiguration')),
  call: (cors, context) => configure(context, { cors }),
  encode: () => ({ status: 200 }),
})
