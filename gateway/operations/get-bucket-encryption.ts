/**
 * GetBucketEncryption: the default encryption that an owner has set.
 *
 * AWS gives every bucket a document of its own since 2023. Here, what nobody has set is not found, as it was with AWS
 * before and as ceph's suite has it: clients know both answers, and objects are encrypted either way.
 */
import { defineOperation } from '../operation.ts'
import { encodeBucketEncryption } from '../s3/bucket-encryption.ts'
import { S3Error } from '../s3/errors.ts'

export const getBucketEncryption = defineOperation({
  name: 'GetBucketEncryption',
  method: 'GET',
  target: 'bucket',
  subresource: 'encryption',
  action: 's3:GetEncryptionConfiguration',
  note: 'not found unless it was set',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => {
    const encryption = bucket.configuration?.encryption
    if (encryption === undefined) throw new S3Error('ServerSideEncryptionConfigurationNotFoundError')
    return encryption
  },
  encode: (encryption) => ({ status: 200, body: encodeBucketEncryption(encryption) }),
})
