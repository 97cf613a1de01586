/**
 * The write-quorum rule: may a write be acknowledged, given where its durable shards are.
 *
 * Invariant (DESIGN.md): the number of durable shards minus the most on any one node is at least k, and minus the
 * most in any one site too, unless fewer sites are up than that needs. Shards on nodes that are down or suspended
 * do not count: an acknowledgement must not rest on a machine that may never come back.
 *
 * The catalog's own majority is Raft's business; choosing the nodes is placement.ts's.
 */
import type { ClusterMap, Pool } from './cluster-map.ts'
import { type IsUp, mayHold } from './placement.ts'

/** What the rule looks at: the map, the bucket's pool, and who is up as this process sees it now. */
export interface QuorumView {
  readonly map: Pick<ClusterMap, 'nodes'>
  readonly pool: Pool
  readonly isUp: IsUp
}

export interface WriteVerdict {
  readonly acknowledge: boolean
  /**
   * `survives-site`: any one site may burn. `site-rule-waived`: too few sites are up to survive a site, any one node
   * may burn; this object is repaired first, and a metric counts it. `next-node-loses`, `next-site-loses`: refuse.
   */
  readonly reason: 'survives-site' | 'site-rule-waived' | 'next-node-loses' | 'next-site-loses'
  readonly survivesNextNode: boolean
  readonly survivesNextSite: boolean
  /** Durable shards that count. */
  readonly durable: number
  /** Sites with a node that is up and may take shards of this pool. */
  readonly sitesUp: number
  /** Sites that it takes to survive the loss of one. */
  readonly sitesNeeded: number
}

/**
 * Judges a write.
 *
 * @param holders node of each durable shard, by shard index; undefined: that shard is not durable
 */
export function judgeWrite(view: QuorumView, holders: readonly (string | undefined)[]): WriteVerdict {
  const { nodes } = view.map
  const siteOf = new Map(
    nodes.filter((node) => node.state !== 'suspended').map((node) => [node.nodeId, node.site]),
  )
  const counted: string[] = []
  const sites: string[] = []
  for (const nodeId of holders) {
    const site = nodeId === undefined ? undefined : siteOf.get(nodeId)
    if (nodeId === undefined || site === undefined || !view.isUp(nodeId)) continue
    counted.push(nodeId)
    sites.push(site)
  }
  const survivesNextNode = counted.length - most(counted) >= view.pool.dataShards
  const survivesNextSite = counted.length - most(sites) >= view.pool.dataShards
  const sitesUp = sitesUpOf(view)
  const sitesNeeded = sitesToSurviveOne(view.pool)
  const reason = reasonOf({ survivesNextNode, survivesNextSite, waived: sitesUp < sitesNeeded })
  return {
    acknowledge: reason === 'survives-site' || reason === 'site-rule-waived',
    reason,
    survivesNextNode,
    survivesNextSite,
    durable: counted.length,
    sitesUp,
    sitesNeeded,
  }
}

/** The fewest sites over which k+m shards can lie so that losing one site leaves k: no site has more than m. */
export function sitesToSurviveOne(pool: Pick<Pool, 'dataShards' | 'parityShards'>): number {
  if (pool.parityShards === 0) return Number.POSITIVE_INFINITY
  return Math.ceil((pool.dataShards + pool.parityShards) / pool.parityShards)
}

/** Sites with at least one node that is up and may take shards of the pool. */
export function sitesUpOf(view: QuorumView): number {
  const up = view.map.nodes.filter((node) => mayHold(node, view.pool) && view.isUp(node.nodeId))
  return new Set(up.map((node) => node.site)).size
}

function reasonOf(facts: {
  survivesNextNode: boolean
  survivesNextSite: boolean
  waived: boolean
}): WriteVerdict['reason'] {
  if (!facts.survivesNextNode) return 'next-node-loses'
  if (facts.survivesNextSite) return 'survives-site'
  return facts.waived ? 'site-rule-waived' : 'next-site-loses'
}

/** How often the most frequent name occurs; 0 for none. */
function most(names: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}
