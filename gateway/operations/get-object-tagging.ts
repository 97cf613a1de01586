/** GetObjectTagging: the tags of a version; none is an empty set. */
import type { Tags } from '../../node/core/bucket-configuration.ts'
import { defineOperation } from '../operation.ts'
import { amendedHeaders, readVersion } from '../s3/amendment.ts'
import { compareKeys } from '../s3/paging.ts'
import { encodeTagging } from '../s3/tagging.ts'
import { requestedVersion } from '../s3/versions.ts'

export const getObjectTagging = defineOperation({
  name: 'GetObjectTagging',
  method: 'GET',
  target: 'object',
  subresource: 'tagging',
  action: 's3:GetObjectTagging',
  versionAction: 's3:GetObjectVersionTagging',
  findsObject: true,
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: readVersion,
  encode: (object) => ({
    status: 200,
    headers: amendedHeaders(object),
    body: encodeTagging(sorted(object.version.tags ?? {})),
  }),
})

/** AWS keeps no order; its answers, and ceph's suite, go by the key. */
function sorted(tags: Tags): Tags {
  return Object.fromEntries(Object.entries(tags).sort(([a], [b]) => compareKeys(a, b)))
}
