/**
 * Quotas of buckets as an operator sets and sees them. Holding writes to them is the object store's (object/quotas.ts).
 */
import type { Quota } from '../node/core/bucket-configuration.ts'
import type { BucketCounts } from '../node/core/catalog-types.ts'
import { ClusterError } from '../node/errors.ts'
import type { ObjectStore } from './object/object-store.ts'

/** Absent: stays as it is; null: no bound. */
export interface QuotaChange {
  readonly bytesMax?: number | null | undefined
  readonly objectsMax?: number | null | undefined
}

/** What a bucket may hold and what it holds. */
export interface QuotaReport {
  readonly bucket: string
  readonly quota: Quota
  readonly holds: BucketCounts
}

export class BucketQuotas {
  readonly #store: ObjectStore
  readonly #createRequestId: () => string

  constructor(store: ObjectStore, createRequestId: () => string) {
    this.#store = store
    this.#createRequestId = createRequestId
  }

  /** Changes what is named and tells what is in force. Throws NoSuchBucket. */
  async set(name: string, { bytesMax, objectsMax }: QuotaChange): Promise<QuotaReport> {
    const call = { requestId: this.#createRequestId() }
    const bucket = await this.#store.findBucket(name, call)
    if (bucket === undefined) throw new ClusterError('NoSuchBucket', `there is no bucket ${name}`)
    const before = bucket.configuration?.quota ?? {}
    const bytes = bytesMax === undefined ? before.bytesMax : (bytesMax ?? undefined)
    const objects = objectsMax === undefined ? before.objectsMax : (objectsMax ?? undefined)
    const quota: Quota = {
      ...(bytes === undefined ? {} : { bytesMax: bytes }),
      ...(objects === undefined ? {} : { objectsMax: objects }),
    }
    if (bytesMax !== undefined || objectsMax !== undefined) {
      const none = bytes === undefined && objects === undefined
      await this.#store.configureBucket(bucket, { quota: none ? null : quota }, call)
    }
    return { bucket: name, quota, holds: await this.#store.countBucket(bucket, call) }
  }
}
