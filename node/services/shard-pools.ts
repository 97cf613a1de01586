/**
 * Which pool a bucket's shards belong to: the registry's directory, remembered.
 *
 * A bucket never changes its pool, so what was read once stays true. An unknown bucket makes the directory be read
 * again, not more often than `refreshMs`; until then its pool is not known, and repair moves none of its shards.
 */
import type { ClusterMap, Pool } from '../core/cluster-map.ts'
import type { Bucket, RegistryQuery } from '../core/registry-types.ts'
import { ClusterError } from '../errors.ts'
import type { Clock } from '../world.ts'

export const bucketPoolLimits = {
  /** How soon an unknown bucket is asked for again. */
  refreshMs: 10_000,
  /** Buckets of one page of the directory. */
  pageBuckets: 1_000,
  /** Far above any federation; each is remembered with some hundred bytes. */
  bucketsMax: 200_000,
} as const

export interface BucketPoolsParts {
  readonly clock: Clock
  readonly map: () => ClusterMap
  /** A page of the directory (`router.queryRegistry`). */
  readonly buckets: (
    query: Extract<RegistryQuery, { kind: 'buckets' }>,
  ) => Promise<{ readonly buckets: readonly Bucket[]; readonly truncated: boolean }>
}

export class BucketPools {
  readonly #parts: BucketPoolsParts
  readonly #poolIds = new Map<string, string>()
  #readMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(parts: BucketPoolsParts) {
    this.#parts = parts
  }

  /** Undefined: not known now. Never rejects because the registry is away. */
  async poolOf(bucketId: string): Promise<Pool | undefined> {
    const { clock, map } = this.#parts
    if (!this.#poolIds.has(bucketId)) {
      const due = clock.monotonicMs() - this.#readMs >= bucketPoolLimits.refreshMs
      if (due && this.#reading === undefined)
        this.#reading = this.#read().finally(() => {
          this.#reading = undefined
        })
      await this.#reading
    }
    const poolId = this.#poolIds.get(bucketId)
    return map().pools.find((pool) => pool.poolId === poolId)
  }

  async #read(): Promise<void> {
    const { clock, buckets } = this.#parts
    this.#readMs = clock.monotonicMs()
    const { pageBuckets, bucketsMax } = bucketPoolLimits
    try {
      let after = ''
      while (this.#poolIds.size < bucketsMax) {
        const page = await buckets({ kind: 'buckets', after, limit: pageBuckets, ownerId: undefined })
        for (const bucket of page.buckets) this.#poolIds.set(bucket.bucketId, bucket.poolId)
        const last = page.buckets.at(-1)
        if (!page.truncated || last === undefined) return
        after = last.name
      }
    } catch (error) {
      // The registry is away: asked again after refreshMs.
      if (!(error instanceof ClusterError)) throw error
    }
  }
}
