/** GetObjectLockConfiguration: whether versions can be locked, and the retention that new ones get. */
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { encodeObjectLockConfiguration } from '../s3/object-lock-configuration.ts'

export const getObjectLockConfiguration = defineOperation({
  name: 'GetObjectLockConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'object-lock',
  action: 's3:GetBucketObjectLockConfiguration',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const objectLock = bucket.writeRules?.objectLock
    if (objectLock === undefined) throw new S3Error('ObjectLockConfigurationNotFoundError')
    return objectLock.defaultRetention
  },
  encode: (retention) => ({ status: 200, body: encodeObjectLockConfiguration(retention) }),
})
