/** PutBucketTagging: replaces the tags of a bucket. */
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { decodeTagging } from '../s3/tagging.ts'

export const putBucketTagging = defineOperation({
  name: 'PutBucketTagging',
  method: 'PUT',
  target: 'bucket',
  subresource: 'tagging',
  action: 's3:PutBucketTagging',
  body: 'xml',
  decode: (request) => decodeTagging(request.document('Tagging'), 'bucket'),
  // A bucket without tags has no TagSet to be found.
  call: (tags, context) => configure(context, { tags: Object.keys(tags).length === 0 ? null : tags }),
  encode: () => ({ status: 204 }),
})
