/** PutObjectTagging: replaces all tags of a version; an empty set takes them away. */
import { defineOperation } from '../operation.ts'
import { amendedHeaders, amendVersion } from '../s3/amendment.ts'
import { decodeTagging, tagKeys } from '../s3/tagging.ts'
import { requestedVersion } from '../s3/versions.ts'

export const putObjectTagging = defineOperation({
  name: 'PutObjectTagging',
  method: 'PUT',
  target: 'object',
  subresource: 'tagging',
  action: 's3:PutObjectTagging',
  raises: 'ObjectTagging:Put',
  versionAction: 's3:PutObjectVersionTagging',
  body: 'xml',
  documentKeys: (request) => tagKeys(decodeTagging(request.document('Tagging'), 'object')),
  decode: (request) => ({
    key: request.key,
    versionId: requestedVersion(request),
    tags: decodeTagging(request.document('Tagging'), 'object'),
  }),
  call: ({ tags, ...name }, context) => {
    const none = Object.keys(tags).length === 0
    return amendVersion(name, { kind: 'tags', tags: none ? null : tags }, { context })
  },
  encode: (amended) => ({ status: 200, headers: amendedHeaders(amended) }),
})
