/** GetBucketWebsite: the website document of a bucket. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodeWebsite } from '../s3/website.ts'

export const getBucketWebsite = defineOperation({
  name: 'GetBucketWebsite',
  method: 'GET',
  target: 'bucket',
  subresource: 'website',
  action: 's3:GetBucketWebsite',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const website = bucket.configuration?.website
    if (website === undefined) throw new S3Error('NoSuchWebsiteConfiguration')
    return website
  },
  encode: (website) => ({ status: 200, body: encodeWebsite(website) }),
})
