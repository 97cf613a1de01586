/**
 * DeleteObject: removes the object, marks it as deleted where there is versioning, or removes the version that is named.
 * Succeeds whether there was one or not.
 */
import { bypassActions, conditionalActions } from '../auth/admission.ts'
import { defineOperation } from '../operation.ts'
import { deleteConditions } from '../s3/conditions.ts'
import { deleteOne } from '../s3/deletion.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { asksForBypass } from '../s3/retention.ts'
import { markerHeader, requestedVersion, versionHeader } from '../s3/versions.ts'

export const deleteObject = defineOperation({
  name: 'DeleteObject',
  method: 'DELETE',
  target: 'object',
  action: 's3:DeleteObject',
  raises: 'removal',
  versionAction: 's3:DeleteObjectVersion',
  furtherActions: [...bypassActions, ...conditionalActions],
  body: 'none',
  decode: (request) => {
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      versionId: requestedVersion(request),
      conditions: deleteConditions(request.headers),
      bypassGovernance: asksForBypass(request.headers),
    }
  },
  call: (input, context) => deleteOne(input, context, context.call),
  encode: ({ versionId, marker }) => ({
    status: 204,
    headers: {
      ...(versionId === undefined ? {} : { [versionHeader]: versionId }),
      ...(marker ? { [markerHeader]: 'true' } : {}),
    },
  }),
})
