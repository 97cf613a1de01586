/** GetBucketTagging: the tags of a bucket. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodeTagging } from '../s3/tagging.ts'

export const getBucketTagging = defineOperation({
  name: 'GetBucketTagging',
  method: 'GET',
  target: 'bucket',
  subresource: 'tagging',
  action: 's3:GetBucketTagging',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const tags = bucket.configuration?.tags
    if (tags === undefined) throw new S3Error('NoSuchTagSet')
    return tags
  },
  encode: (tags) => ({ status: 200, body: encodeTagging(tags) }),
})
