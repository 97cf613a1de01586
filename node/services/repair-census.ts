/**
 * The census of one catalog group: every sharded blob compared with what nodes say they hold.
 *
 * Walks the rows page by page; for each page asks the nodes that are up for their own listings of that range. Rows
 * are read first, so a blob that is written meanwhile is not taken for damaged. Counts, and hands every blob that
 * needs something to the worker. Leaves decisions to core/repair.ts.
 */
import type { ShardedBlobRow } from '../core/catalog-rows.ts'
import type { ClusterMap, Pool } from '../core/cluster-map.ts'
import { type BlobPlan, planBlob, type RepairView } from '../core/repair.ts'
import type { Caller } from '../protocol/messages.ts'
import type { CatalogGroup } from './shard-group.ts'
import { Inventory, namesOfBlob, namesOfBlobs } from './shard-inventory.ts'

export const censusLimits = {
  /** Blobs compared at once: some hundred bytes each, times the nodes asked. */
  pageBlobs: 500,
  /** Nodes asked about a single blob: in a larger federation its holders only, copies elsewhere stay unknown. */
  askedForOneMax: 32,
} as const

/** What planning needs to know of the world besides rows and inventories. */
export interface RepairWorld {
  readonly map: ClusterMap
  readonly isUp: (nodeId: string) => boolean
  readonly isGone: (nodeId: string) => boolean
  readonly isWilling: (nodeId: string) => boolean
  readonly poolOf: (bucketId: string) => Promise<Pool | undefined>
}

export interface CensusCounts {
  blobs: number
  /** Index: number of shards missing; 0: whole. Readable blobs only. */
  byMissing: number[]
  lost: number
  misplaced: number
  /** Nodes that are up and did not answer for some range: their shards were taken for good. */
  unanswered: number
}

/** Undefined when leadership was lost on the way: the counts would be of somebody's past. */
export async function takeCensus(
  group: CatalogGroup,
  caller: Caller,
  options: { world: RepairWorld; onPlan: (row: ShardedBlobRow, plan: BlobPlan) => void },
): Promise<CensusCounts | undefined> {
  const { world, onPlan } = options
  const counts: CensusCounts = { blobs: 0, byMissing: [], lost: 0, misplaced: 0, unanswered: 0 }
  let after: string | undefined = ''
  while (after !== undefined) {
    const page: Awaited<ReturnType<CatalogGroup['blobs']>> = await group.blobs({
      after,
      limit: censusLimits.pageBlobs,
    })
    const last = page.entries.at(-1)
    if (last !== undefined) {
      const range = namesOfBlobs(group.groupId, { after, until: last.blob.blobId })
      const asked = nodesToAsk(world)
      const inventory = await Inventory.of(caller, asked, range)
      counts.unanswered += asked.length - inventory.answered
      for (const row of page.entries) {
        const plan = planBlob(row.blob, await viewOf(row, world, inventory))
        count(counts, row, plan)
        onPlan(row, plan)
      }
    }
    if (!group.isLeader()) return undefined
    after = page.next
  }
  return counts
}

/** One blob, looked at again: its row as it is now and fresh listings of the nodes. */
export async function lookAgain(
  group: CatalogGroup,
  caller: Caller,
  options: { world: RepairWorld; blobId: string },
): Promise<{ row: ShardedBlobRow; plan: BlobPlan } | undefined> {
  const { world, blobId } = options
  const row = group.blob(blobId)
  if (row === undefined) return undefined
  const all = nodesToAsk(world)
  const few = all.length <= censusLimits.askedForOneMax
  const asked = few ? all : all.filter((nodeId) => row.blob.holders.includes(nodeId))
  const inventory = await Inventory.of(caller, asked, namesOfBlob(group.groupId, blobId))
  return { row, plan: planBlob(row.blob, await viewOf(row, world, inventory)) }
}

function nodesToAsk({ map, isUp }: RepairWorld): string[] {
  const holders = map.nodes.filter(({ roles, state }) => roles.includes('shard') && state !== 'suspended')
  return holders.map(({ nodeId }) => nodeId).filter(isUp)
}

async function viewOf(row: ShardedBlobRow, world: RepairWorld, inventory: Inventory): Promise<RepairView> {
  const { blobId, generation } = row.blob
  const { map, isUp, isGone, isWilling } = world
  return {
    map,
    isUp,
    isGone,
    isWilling,
    pool: await world.poolOf(row.bucketId),
    has: (nodeId, shardIndex) => inventory.has(nodeId, { blobId, shardIndex, generation }),
  }
}

function count(counts: CensusCounts, { blob }: ShardedBlobRow, plan: BlobPlan): void {
  counts.blobs++
  if (plan.misplaced) counts.misplaced++
  if (plan.good < blob.dataShards) {
    counts.lost++
    return
  }
  const missing = blob.holders.length - plan.good
  counts.byMissing[missing] = (counts.byMissing[missing] ?? 0) + 1
}
