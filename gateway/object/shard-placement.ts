/**
 * Placement for the object writer: holders for a new blob, substitutes for holders that fail, the verdict at the end.
 *
 * Binds the pure rules of node/core (placement, quorum) to the gateway's view of the map and of who is up.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { ClusterMap, Pool } from '../../node/core/cluster-map.ts'
import { type PlacementTable, place, placementTable, substitutesFor } from '../../node/core/placement.ts'
import { judgeWrite, type WriteVerdict } from '../../node/core/quorum.ts'
import { ClusterError } from '../../node/errors.ts'

/** Where the shards of one blob go. Remembers holders that failed in this write, whatever their peers' pings say. */
export class BlobPlacement {
  readonly #table: PlacementTable
  readonly #blobId: string
  readonly #isUp: (nodeId: string) => boolean
  readonly #failed = new Set<string>()
  /** Holder of shard i. */
  readonly holders: string[]

  /** Throws WriteQuorumUnavailable when no node, or too few for the quorum rule, may take shards now. */
  constructor(cluster: ClusterClient, pool: Pool, blobId: string) {
    const map = cluster.map()
    this.#table = tableOf(map, pool)
    this.#blobId = blobId
    this.#isUp = (nodeId) => cluster.isUp(nodeId) && !this.#failed.has(nodeId)
    const holders = place(this.#table, blobId, this.#isUp)
    if (holders === undefined) throw new ClusterError('WriteQuorumUnavailable', 'no node may take shards now')
    this.holders = holders
    const verdict = judgeWrite({ map, pool, isUp: this.#isUp }, holders)
    if (!verdict.acknowledge) {
      throw new ClusterError('WriteQuorumUnavailable', `too few nodes are up: ${verdict.reason}`)
    }
  }

  /** Replaces the failed holder of a shard by the next best; undefined: nobody is left. */
  substitute(shardIndex: number): string | undefined {
    const failed = this.holders[shardIndex]
    if (failed !== undefined) this.#failed.add(failed)
    const blob = { blobId: this.#blobId, holders: this.holders, shardIndex }
    const next = substitutesFor(this.#table, blob, this.#isUp)[0]
    if (next !== undefined) this.holders[shardIndex] = next
    return next
  }
}

/** Whether a blob whose shards are durable at `holders` may be acknowledged now. */
export function judgeHolders(
  cluster: ClusterClient,
  pool: Pool,
  holders: readonly (string | undefined)[],
): WriteVerdict {
  return judgeWrite({ map: cluster.map(), pool, isUp: cluster.isUp }, holders)
}

/** The tables of the newest map only: one entry per pool. */
const tables = new WeakMap<ClusterMap, Map<string, PlacementTable>>()

function tableOf(map: ClusterMap, pool: Pool): PlacementTable {
  let ofMap = tables.get(map)
  if (ofMap === undefined) {
    ofMap = new Map()
    tables.set(map, ofMap)
  }
  let table = ofMap.get(pool.poolId)
  if (table === undefined) {
    table = placementTable(map, pool)
    ofMap.set(pool.poolId, table)
  }
  return table
}
