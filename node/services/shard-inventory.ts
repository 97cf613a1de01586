/**
 * What nodes say they hold: the independent half of a census.
 *
 * Asks nodes for their own listings of a range of blobs. Invariant: a node that did not answer the whole range is
 * unknown for all of it, never empty. Leaves the comparison with the catalog to core/repair.ts.
 */
import { ClusterError } from '../errors.ts'
import type { Caller } from '../protocol/messages.ts'
import { shardName } from '../protocol/shard-store.ts'

export const inventoryLimits = {
  /** Rows asked for at once. */
  pageMax: 1_000,
  /** Pages of one range from one node: a node that sends more is not telling the truth about a bounded range. */
  pagesMax: 64,
} as const

/** Shard names of a group's blobs: behind `after`, up to `until`, included. */
export interface NameRange {
  readonly groupId: string
  readonly after: string
  readonly until: string
}

/** Sorts behind every `.<index>`: the end of a blob's names. */
const behindShards = '.~'

/** The shards of the blobs behind `blobs.after` ('': from the start), up to `blobs.until`, included. */
export function namesOfBlobs(groupId: string, blobs: { after: string; until: string }): NameRange {
  const after = blobs.after === '' ? '' : blobs.after + behindShards
  return { groupId, after, until: blobs.until + behindShards }
}

/** The shards of one blob. */
export function namesOfBlob(groupId: string, blobId: string): NameRange {
  return { groupId, after: blobId, until: blobId + behindShards }
}

export class Inventory {
  /** Per node that answered: generation by shard name. */
  readonly #nodes = new Map<string, ReadonlyMap<string, number>>()

  /** Asks all nodes side by side. */
  static async of(caller: Caller, nodeIds: readonly string[], range: NameRange): Promise<Inventory> {
    const inventory = new Inventory()
    await Promise.all(
      nodeIds.map(async (nodeId) => {
        const shards = await listOf(caller, nodeId, range)
        if (shards !== undefined) inventory.#nodes.set(nodeId, shards)
      }),
    )
    return inventory
  }

  /** Whether the node holds the shard in this generation; undefined: not known. */
  has(
    nodeId: string,
    shard: { blobId: string; shardIndex: number; generation: number },
  ): boolean | undefined {
    const shards = this.#nodes.get(nodeId)
    return shards === undefined ? undefined : shards.get(shardName(shard)) === shard.generation
  }

  get answered(): number {
    return this.#nodes.size
  }
}

/** Undefined: the node did not answer all of it. */
async function listOf(
  caller: Caller,
  nodeId: string,
  { groupId, after, until }: NameRange,
): Promise<ReadonlyMap<string, number> | undefined> {
  const shards = new Map<string, number>()
  const limit = inventoryLimits.pageMax
  let cursor = after
  try {
    for (let page = 0; page < inventoryLimits.pagesMax; page++) {
      const request = { after: cursor, until, limit, groupId }
      const { reply } = await caller.call(nodeId, 'list-shards', request)
      for (const { header } of reply.shards) shards.set(shardName(header), header.generation)
      if (!reply.truncated) return shards
      if (reply.next === undefined || reply.next <= cursor) return undefined
      cursor = reply.next
    }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
  }
  return undefined
}
