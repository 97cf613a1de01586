/** GetObjectTorrent: AWS ended BitTorrent in 2022 and refuses the method; so do we, after the checks that a read has. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { requestedVersion, requireObject } from '../s3/versions.ts'

export const getObjectTorrent = defineOperation({
  name: 'GetObjectTorrent',
  method: 'GET',
  target: 'object',
  subresource: 'torrent',
  action: 's3:GetObjectTorrent',
  body: 'none',
  decode: (request) => ({ key: request.key, versionId: requestedVersion(request) }),
  call: async ({ key, versionId }, { store, bucket, call }): Promise<never> => {
    const found = await store.findObject({ bucket, key, versionId, expect: 'nothing' }, call)
    requireObject(found, { versionId })
    throw new S3Error('MethodNotAllowed', undefined, { details: { Method: 'GET', ResourceType: 'TORRENT' } })
  },
  encode: (never) => never,
})
