/** Puts log objects into their target buckets, as the owner of the bucket that was logged. */
import { bufferBody } from '../object/buffer-body.ts'
import type { ObjectStore } from '../object/object-store.ts'
import type { DeliverLog } from './access-log.ts'

/** `newRequestId`: names each write in the journal. */
export function logDelivery(store: ObjectStore, newRequestId: () => string): DeliverLog {
  return async ({ targetBucket, sourceOwnerId, key, lines }) => {
    const context = { requestId: newRequestId() }
    const bucket = await store.findBucket(targetBucket, context)
    // The owner has deleted the target, or it is another's by now: the lines are nobody else's.
    if (bucket === undefined || bucket.ownerId !== sourceOwnerId) return false
    await store.putObject(
      {
        bucket,
        key,
        ownerId: sourceOwnerId,
        metadata: { user: {}, system: { 'content-type': 'text/plain' } },
        body: bufferBody(lines),
        conditions: {},
      },
      context,
    )
    return true
  }
}
