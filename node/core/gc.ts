/**
 * Whether a sealed shard on a node may go, from what the catalog says about its blob.
 *
 * Pure. Invariant: 'delete' only when no row refers to this copy and none ever will: a dead blob never comes back, a
 * blob has one generation, and a node becomes holder of a shard only by a claim that is made before the copy is
 * (catalog-blobs.ts). Any doubt is 'keep'. Leaves waiting, fencing and unlinking to gc-worker-local.ts.
 */

/** What the catalog's leader answered about a blob, after a read barrier. */
export interface BlobAnswer {
  readonly state: 'referenced' | 'garbage' | 'abandoned' | 'unknown'
  readonly holders: readonly string[]
  readonly generation: number
  readonly claims?: readonly { readonly shardIndex: number; readonly to: string }[]
}

export interface LocalCopy {
  readonly nodeId: string
  readonly shardIndex: number
  readonly generation: number
}

/**
 * keep: a row refers to it, or may. fence: nothing refers to it yet; only after abandon-blobs may it go. delete: dead,
 * or of another generation than the one referred to. moved: another node is its holder; may go when that one has it.
 */
export type Verdict =
  | { readonly verdict: 'keep' | 'fence' | 'delete' }
  | { readonly verdict: 'moved'; readonly holder: string }

export function judgeCopy(copy: LocalCopy, answer: BlobAnswer): Verdict {
  const holder = answer.holders[copy.shardIndex]
  switch (answer.state) {
    case 'unknown':
      return { verdict: 'fence' }
    case 'abandoned':
      return { verdict: 'delete' }
    case 'garbage':
      // Readers may still be at it; the group's leader deletes it at its holders when they have had their time.
      return { verdict: holder === copy.nodeId ? 'keep' : 'delete' }
    case 'referenced': {
      // Inline, or another number of shards than this copy says: not what we know. Doubt.
      if (holder === undefined) return { verdict: 'keep' }
      if (answer.generation !== copy.generation) return { verdict: 'delete' }
      const claimed = answer.claims?.some((claim) => {
        return claim.shardIndex === copy.shardIndex && claim.to === copy.nodeId
      })
      if (holder === copy.nodeId || claimed === true) return { verdict: 'keep' }
      return { verdict: 'moved', holder }
    }
    default:
      return { verdict: 'keep' }
  }
}

/** A dead blob as the group's leader sees it. */
export interface DeadBlob {
  readonly blobId: string
  /** Holder of shard i. */
  readonly holders: readonly string[]
  readonly sinceMs: number
}

/** Shards to delete by node, for all dead blobs whose readers have had their time; not where that is settled. */
export function deletionsOf(
  blobs: readonly DeadBlob[],
  isSettled: (nodeId: string, blobId: string) => boolean,
): Map<string, { blobId: string; shardIndex: number }[]> {
  const byNode = new Map<string, { blobId: string; shardIndex: number }[]>()
  for (const { blobId, holders } of blobs) {
    for (const [shardIndex, holder] of holders.entries()) {
      if (isSettled(holder, blobId)) continue
      const shards = byNode.get(holder)
      if (shards === undefined) byNode.set(holder, [{ blobId, shardIndex }])
      else shards.push({ blobId, shardIndex })
    }
  }
  return byNode
}

/** Dead blobs all of whose holders have confirmed, or left. */
export function forgettable(
  blobs: readonly DeadBlob[],
  isSettled: (nodeId: string, blobId: string) => boolean,
): string[] {
  const settled = blobs.filter(({ blobId, holders }) => holders.every((holder) => isSettled(holder, blobId)))
  return settled.map(({ blobId }) => blobId)
}
