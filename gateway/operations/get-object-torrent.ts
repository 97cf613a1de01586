/** GetObjectTorrent: AWS ended BitTorrent in 2022 and refuses the method; so do we, after the checks that a read has. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getObjectTorrent = defineOperation({
  name: 'GetObjectTorrent',
  method: 'GET',
  target: 'object',
  subresource: 'torrent',
  action: 's3:GetObjectTorrent',
  body: 'none',
  decode: (request) => request.key,
  call: async (key, { store, bucket, call }): Promise<never> => {
    const found = await store.findObject({ bucket, key, expect: 'nothing' }, call)
    if (found === undefined) throw new S3Error('NoSuchKey')
    throw new S3Error('MethodNotAllowed', undefined, { details: { Method: 'GET', ResourceType: 'TORRENT' } })
  },
  encode: (never) => never,
})
