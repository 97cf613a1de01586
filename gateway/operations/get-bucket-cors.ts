/** GetBucketCors: which pages may talk to a bucket. */
import { defineOperation } from '../operation.ts'
import { encodeCors } from '../s3/cors.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketCors = defineOperation({
  name: 'GetBucketCors',
  method: 'GET',
  target: 'bucket',
  subresource: 'cors',
  action: 's3:GetBucketCORS',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const rules = bucket.configuration?.cors
    if (rules === undefined) throw new S3Error('NoSuchCORSConfiguration')
    return rules
  },
  encode: (rules) => ({ status: 200, body: encodeCors(rules) }),
})
