/**
 * PutObjectLockConfiguration: sets or removes the default retention, and switches Object Lock on, for good, in a bucket
 * that has versioning already.
 */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeObjectLockConfiguration } from '../s3/object-lock-configuration.ts'

export const putObjectLockConfiguration = defineOperation({
  name: 'PutObjectLockConfiguration',
  method: 'PUT',
  target: 'bucket',
  subresource: 'object-lock',
  action: 's3:PutBucketObjectLockConfiguration',
  body: 'xml',
  decode: (request) => decodeObjectLockConfiguration(request.document('ObjectLockConfiguration')),
  call: (defaultRetention, { store, bucket, call }) => {
    const { objectLock, versioning } = bucket.writeRules ?? {}
    // Whoever asks for a lock must have asked for versions: it never switches versioning on by the way.
    if (objectLock === undefined && versioning !== 'Enabled') {
      throw new S3Error(
        'InvalidBucketState',
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
      )
    }
    const change = { objectLock: defaultRetention === undefined ? {} : { defaultRetention } }
    return store.setWriteRules(bucket, change, call)
  },
  encode: () => ({ status: 200 }),
})
