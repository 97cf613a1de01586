/** DeleteObjectTagging: takes all tags from a version. */
import { defineOperation } from '../operation.ts'
import { amendedHeaders, amendVersion } from '../s3/amendment.ts'
import { requestedVersion } from '../s3/versions.ts'

export const deleteObjectTagging = defineOperation({
  name: 'DeleteObjectTagging',
  method: 'DELETE',
  target: 'object',
  subresource: 'tagging',
  action: 's3:DeleteObjectTagging',
  raises: 'ObjectTagging:Delete',
  versionAction: 's3:DeleteObjectVersionTagging',
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: (name, context) => amendVersion(name, { kind: 'tags', tags: null }, { context }),
  encode: (amended) => ({ status: 204, headers: amendedHeaders(amended) }),
})
