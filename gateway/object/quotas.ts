/**
 * Quotas of buckets: whether a write may add what it brings.
 *
 * Every catalog group counts what it holds of a bucket; here the counts are summed, kept for a while, and raised by what
 * this gateway admits. So a quota is not exact: other gateways' writes show up with the next sum, and an overwrite counts
 * in full until the old version is gone (decision 0198).
 *
 * Invariants: nothing is refused on counts older than `refusalMs`; a bucket without a quota costs nothing; a group that
 * cannot be asked never stops a write: evidence comes before book-keeping.
 */
import type { BucketCounts } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { Clock } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import type { CallContext } from './object-store.ts'

export const quotaLimits = {
  /** Buckets whose counts are remembered: those with a quota that are written to. */
  cachedMax: 1_000,
  /** Counts so old are forgotten altogether. */
  cachedMs: 60 * 60_000,
  /** After so long the groups are asked again, behind the write that notices. */
  freshMs: 5_000,
  /** Before a write is refused, counts older than this are asked anew. */
  refusalMs: 500,
} as const

/** What a write adds. `entries`: versions and delete markers. */
export interface Added {
  readonly bytes: number
  readonly entries: number
}

interface Known {
  bytes: number
  entries: number
  readonly askedMs: number
}

export type CountBucket = (bucket: Bucket, context: CallContext) => Promise<readonly BucketCounts[]>

export class Quotas {
  readonly #count: CountBucket
  readonly #clock: Clock
  readonly #known = new ExpiringCache<string, Known>(quotaLimits.cachedMax, quotaLimits.cachedMs)
  readonly #asking = new Map<string, Promise<Known | undefined>>()

  /** `count` answers with the counts of every group. */
  constructor(count: CountBucket, clock: Clock) {
    this.#count = count
    this.#clock = clock
  }

  /** Counts the write in, or throws QuotaExceeded (details: bytesMax or objectsMax). */
  async admit(bucket: Bucket, added: Added, context: CallContext): Promise<void> {
    const quota = bucket.configuration?.quota
    if (quota === undefined) return
    let known = this.#known.get(bucket.bucketId)
    if (known === undefined) known = await this.#ask(bucket, context)
    else if (this.#ageMs(known) > quotaLimits.freshMs) void this.#ask(bucket, context)
    if (known === undefined) return
    if (excess(bucket, known, added) !== undefined && this.#ageMs(known) > quotaLimits.refusalMs) {
      known = (await this.#ask(bucket, context)) ?? known
    }
    const details = excess(bucket, known, added)
    if (details !== undefined) {
      throw new ClusterError('QuotaExceeded', `the quota of bucket ${bucket.name} is used up`, { details })
    }
    known.bytes += added.bytes
    known.entries += added.entries
  }

  #ageMs(known: Known): number {
    return this.#clock.monotonicMs() - known.askedMs
  }

  /** Never rejects: what was known before stands where a group does not answer. One sum at a time for a bucket. */
  #ask(bucket: Bucket, context: CallContext): Promise<Known | undefined> {
    const { bucketId } = bucket
    const running = this.#asking.get(bucketId)
    if (running !== undefined) return running
    const asked = this.#sum(bucket, context)
      .catch(() => this.#known.get(bucketId))
      .finally(() => this.#asking.delete(bucketId))
    this.#asking.set(bucketId, asked)
    return asked
  }

  async #sum(bucket: Bucket, context: CallContext): Promise<Known> {
    const askedMs = this.#clock.monotonicMs()
    const { objects, versions, bytes } = sumCounts(await this.#count(bucket, context))
    const known: Known = { bytes, entries: objects + versions, askedMs }
    this.#known.set(bucket.bucketId, known)
    return known
  }
}

/** The counts of all groups together. */
export function sumCounts(counts: readonly BucketCounts[]): BucketCounts {
  const total = { objects: 0, versions: 0, uploads: 0, bytes: 0 }
  for (const each of counts) {
    total.objects += each.objects
    total.versions += each.versions
    total.uploads += each.uploads
    total.bytes += each.bytes
  }
  return total
}

/** Which bound the write would exceed. */
function excess(bucket: Bucket, known: Known, added: Added): Record<string, number> | undefined {
  const { bytesMax, objectsMax } = bucket.configuration?.quota ?? {}
  if (bytesMax !== undefined && known.bytes + added.bytes > bytesMax) return { bytesMax }
  if (objectsMax !== undefined && added.entries > 0 && known.entries + added.entries > objectsMax) {
    return { objectsMax }
  }
  return undefined
}
