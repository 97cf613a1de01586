/** PutBucketLogging: delivers lines about requests to a bucket of the same owner, or stops that. */
import { type BucketContext, defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeLogging } from '../s3/logging.ts'
import { isBucketName } from '../s3/names.ts'

export const putBucketLogging = defineOperation({
  name: 'PutBucketLogging',
  method: 'PUT',
  target: 'bucket',
  subresource: 'logging',
  action: 's3:PutBucketLogging',
  note: 'no target grants',
  body: 'xml',
  decode: (request) => decodeLogging(request.document('BucketLoggingStatus')),
  call: async (logging, context) => {
    if (logging !== undefined) await checkTarget(logging.targetBucket, context)
    await configure(context, { logging: logging ?? null })
  },
  encode: () => ({ status: 200 }),
})

/** Throws InvalidTargetBucketForLogging. */
async function checkTarget(name: string, { store, bucket, call }: BucketContext): Promise<void> {
  const target = isBucketName(name) ? await store.findBucket(name, call) : undefined
  const refuse = (message?: string) =>
    new S3Error('InvalidTargetBucketForLogging', message, { details: { TargetBucket: name } })
  if (target === undefined || target.state === 'creating') throw refuse()
  if (target.ownerId !== bucket.ownerId) {
    throw refuse('The owner for the bucket to be logged and the target bucket must be the same.')
  }
  // Log objects could not be delivered as AWS delivers them, and would be locked by nobody's decision.
  if (target.writeRules?.objectLock?.defaultRetention !== undefined) {
    throw refuse('The target bucket must not have a default retention.')
  }
}
