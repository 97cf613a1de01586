/**
 * Which pool a bucket belongs to, by its id: what repair needs to know where a blob's shards may lie.
 *
 * Reads the registry's directory page by page and remembers it; a bucket's pool never changes, so only an unknown id
 * makes it read again, and not more often than `refreshMs`.
 */
import type { ClusterMap, Pool } from '../core/cluster-map.ts'
import type { Clock } from '../world.ts'
import type { GroupRouter } from './group-router.ts'
import { registryBuckets } from './registry-buckets.ts'

export const bucketPoolLimits = {
  /** Ids of deleted buckets come up until their garbage is gone: do not read the directory for each. */
  refreshMs: 10_000,
} as const

export class BucketPools {
  readonly #router: GroupRouter
  readonly #map: () => ClusterMap
  readonly #clock: Clock
  #poolIds = new Map<string, string>()
  #readAtMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(parts: { router: GroupRouter; map: () => ClusterMap; clock: Clock }) {
    this.#router = parts.router
    this.#map = parts.map
    this.#clock = parts.clock
  }

  /** Undefined: the bucket is gone, or the registry does not answer now. */
  readonly poolOf = async (bucketId: string): Promise<Pool | undefined> => {
    if (!this.#poolIds.has(bucketId)) await this.#refresh()
    const poolId = this.#poolIds.get(bucketId)
    return this.#map().pools.find((pool) => pool.poolId === poolId)
  }

  async #refresh(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#reading === undefined && nowMs - this.#readAtMs < bucketPoolLimits.refreshMs) return
    this.#readAtMs = nowMs
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(): Promise<void> {
    // The registry has no leader now: what is known stays, the next unknown id asks again.
    const buckets = await registryBuckets(this.#router).catch(() => undefined)
    if (buckets === undefined) return
    this.#poolIds = new Map(buckets.map(({ bucketId, poolId }) => [bucketId, poolId]))
  }
}
