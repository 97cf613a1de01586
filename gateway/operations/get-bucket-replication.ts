/** GetBucketReplication: shards are on several sites already; no bucket replicates to another. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketReplication = defineOperation({
  name: 'GetBucketReplication',
  method: 'GET',
  target: 'bucket',
  subresource: 'replication',
  action: 's3:GetReplicationConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => {
    throw new S3Error('ReplicationConfigurationNotFoundError')
  },
  encode: () => ({ status: 200 }),
})
