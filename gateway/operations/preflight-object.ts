/** PreflightObject: what a page may do with an object, which need not exist. */
import { defineOpenOperation } from '../operation.ts'
import { decodePreflight, preflight } from '../s3/cors.ts'
import { S3Error } from '../s3/errors.ts'
import { isBucketName } from '../s3/names.ts'

export const preflightObject = defineOpenOperation({
  name: 'PreflightObject',
  method: 'OPTIONS',
  target: 'object',
  action: 's3:Preflight',
  decode: ({ bucketName, headers }) => ({ bucketName, asked: decodePreflight(headers) }),
  call: async ({ bucketName, asked }, { store, call }) => {
    const bucket = isBucketName(bucketName) ? await store.findBucket(bucketName, call) : undefined
    if (bucket === undefined) throw new S3Error('AccessForbidden', 'CORSResponse: Bucket not found')
    return preflight(bucket.configuration?.cors, asked, 'OBJECT')
  },
  encode: (headers) => ({ status: 200, headers }),
})
