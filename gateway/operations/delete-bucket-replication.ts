/** DeleteBucketReplication: there is none, and afterwards there is none. */
import { defineOperation } from '../operation.ts'

export const deleteBucketReplication = defineOperation({
  name: 'DeleteBucketReplication',
  method: 'DELETE',
  target: 'bucket',
  subresource: 'replication',
  action: 's3:PutReplicationConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({ status: 204 }),
})
