/**
 * GetObjectTorrent: AWS ended BitTorrent in 2022, and no object has a torrent here either. Its documentation names no
 * error for that; ceph's suite takes NoSuchKey.
 */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getObjectTorrent = defineOperation({
  name: 'GetObjectTorrent',
  method: 'GET',
  target: 'object',
  subresource: 'torrent',
  action: 's3:GetObjectTorrent',
  note: 'there is none',
  body: 'none',
  decode: () => undefined,
  call: async (): Promise<never> => {
    throw new S3Error('NoSuchKey')
  },
  encode: (never) => never,
})
