/**
 * The registry's bucket directory, read page by page by background workers.
 */
import type { Bucket } from '../core/registry-types.ts'
import type { GroupRouter } from './group-router.ts'

/** Buckets asked for at once: bounds the size of one message, documents included. */
const pageBuckets = 200

/** All buckets of all owners. Throws ClusterError when the registry does not answer. */
export async function registryBuckets(router: GroupRouter): Promise<readonly Bucket[]> {
  const buckets: Bucket[] = []
  for (let after = '', truncated = true; truncated; ) {
    const page = await router.queryRegistry({
      kind: 'buckets',
      after,
      limit: pageBuckets,
      ownerId: undefined,
    })
    buckets.push(...page.buckets)
    truncated = page.truncated && page.buckets.length > 0
    after = page.buckets.at(-1)?.name ?? ''
  }
  return buckets
}
