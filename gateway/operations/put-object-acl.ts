/** PutObjectAcl: a canned list, grants in headers, or a document; the version's owner stays who he is. */
import { shownVersionId } from '../object/object-store.ts'
import { defineOperation } from '../operation.ts'
import { isPrivateAcl } from '../s3/acl.ts'
import { amendedHeaders, amendVersion, readVersion } from '../s3/amendment.ts'
import { decodeNewAcl, resolveNewAcl } from '../s3/ownership.ts'
import { requestedVersion } from '../s3/versions.ts'

export const putObjectAcl = defineOperation({
  name: 'PutObjectAcl',
  method: 'PUT',
  target: 'object',
  subresource: 'acl',
  action: 's3:PutObjectAcl',
  versionAction: 's3:PutObjectVersionAcl',
  findsObject: true,
  body: 'xml',
  decode: (request) => ({ ...decodeNewAcl(request), versionId: requestedVersion(request) }),
  call: async (input, context) => {
    const { key, versionId } = input
    const object = await readVersion({ key, versionId }, context)
    const { version } = object
    const acl = await resolveNewAcl(input, version.ownerId, context)
    if (acl === undefined) return object
    const change = { kind: 'acl', acl: isPrivateAcl(acl, version.ownerId) ? null : acl } as const
    // The version that was decided about, whatever has become current meanwhile.
    return amendVersion({ key, versionId: versionId ?? shownVersionId(version) }, change, { context })
  },
  encode: (amended) => ({ status: 200, headers: amendedHeaders(amended) }),
})
