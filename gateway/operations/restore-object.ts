/** RestoreObject: every object can be read at once, so there is never one to restore; said as AWS says it. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { storageClass } from '../s3/storage-class.ts'
import { requestedVersion, requireObject } from '../s3/versions.ts'

export const restoreObject = defineOperation({
  name: 'RestoreObject',
  method: 'POST',
  target: 'object',
  subresource: 'restore',
  action: 's3:RestoreObject',
  note: 'nothing is archived',
  body: 'xml',
  decode: (request) => {
    // AWS takes a request without a document for one with defaults.
    if (request.hasDocument) request.document('RestoreRequest')
    return { key: request.key, versionId: requestedVersion(request) }
  },
  call: async ({ key, versionId }, { store, bucket, call }): Promise<never> => {
    const found = await store.findObject({ bucket, key, versionId, expect: 'nothing' }, call)
    requireObject(found, { versionId })
    throw new S3Error('InvalidObjectState', "Restore is not allowed for the object's current storage class", {
      details: { StorageClass: storageClass },
    })
  },
  encode: (never) => never,
})
