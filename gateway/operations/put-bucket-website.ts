/** PutBucketWebsite: makes a bucket a website. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { decodeWebsite } from '../s3/website.ts'

export const putBucketWebsite = defineOperation({
  name: 'PutBucketWebsite',
  method: 'PUT',
  target: 'bucket',
  subresource: 'website',
  action: 's3:PutBucketWebsite',
  body: 'xml',
  decode: (request) => decodeWebsite(request.document('WebsiteConfiguration')),
  call: (website, context) => configure(context, { website }),
  encode: () => ({ status: 200 }),
})
