/** DeleteBucket: only an empty one, without uploads in progress; the catalog decides. */
import { defineOperation } from '../operation.ts'

export const deleteBucket = defineOperation({
  name: 'DeleteBucket',
  method: 'DELETE',
  target: 'bucket',
  action: 's3:DeleteBucket',
  body: 'none',
  decode: () => undefined,
  call: (_input, { store, bucket, call }) => store.deleteBucket(bucket, call),
  encode: () => ({ status: 204 }),
})
