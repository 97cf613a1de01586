/**
 * Writing a bucket's documents, with the one error that is about the document and not about the store.
 * The registry bounds what all documents of a bucket may take together; S3 knows no such error.
 */
import type { ConfigurationChanges } from '../../node/core/bucket-configuration.ts'
import { ClusterError } from '../../node/errors.ts'
import type { BucketContext } from '../operation.ts'
import { S3Error } from './errors.ts'

/** Sets and removes documents of the bucket of this request. Throws MaxMessageLengthExceeded and as ObjectStore.configureBucket. */
export async function configure(context: BucketContext, changes: ConfigurationChanges): Promise<void> {
  try {
    await context.store.configureBucket(context.bucket, changes, context.call)
  } catch (error) {
    if (!(error instanceof ClusterError) || error.details.configurationBytesMax === undefined) throw error
    throw new S3Error('MaxMessageLengthExceeded', 'The documents of the bucket are too large together.', {
      details: { MaxMessageLengthBytes: Number(error.details.configurationBytesMax) },
      cause: error,
    })
  }
}
