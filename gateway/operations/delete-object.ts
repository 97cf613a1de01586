/** DeleteObject: succeeds whether the key existed or not, unless a condition was set. */
import { bypassActions, conditionalActions } from '../auth/admission.ts'
import { defineOperation } from '../operation.ts'
import { writeConditions } from '../s3/conditions.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { checkVersionId } from '../s3/names.ts'

export const deleteObject = defineOperation({
  name: 'DeleteObject',
  method: 'DELETE',
  target: 'object',
  action: 's3:DeleteObject',
  versionAction: 's3:DeleteObjectVersion',
  furtherActions: [...bypassActions, ...conditionalActions],
  body: 'none',
  decode: (request) => {
    checkVersionId(request.param('versionId'))
    refuseUnimplemented(request.headers)
    return { key: request.key, conditions: writeConditions(request.headers) }
  },
  call: ({ key, conditions }, { store, bucket, call }) =>
    store.deleteObject({ bucket, key, conditions }, call),
  encode: () => ({ status: 204 }),
})
