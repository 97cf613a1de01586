/**
 * Which nodes hold the shards of a blob: weighted rendezvous hashing over failure domains, site first, then node.
 *
 * Invariants: residency (`pool.sites`) is never left, not even when that leaves no node; nodes that are draining,
 * suspended, down or without the shard role get no shard; at most m shards lie in one site when enough sites are
 * up for that; beyond that shards are spread evenly over nodes, then over sites. The order among equals comes from
 * the blob's id, weighted by capacity, so that a node that comes or goes moves little but its own share.
 *
 * A shard's index carries no preference: which of the holders has which index is an accident of the write, and the
 * catalog records it. Whether a placement may be acknowledged is decided by quorum.ts.
 *
 * Rendezvous: Thaler and Ravishankar 1998; the weighted score -w / ln(u): Schindelhauer and Schomaker 2005.
 */
import type { ClusterMap, MapNode, Pool } from './cluster-map.ts'
import { hash32, mix32 } from './hash.ts'
import { invariant } from './invariant.ts'

interface PlacementNode {
  readonly nodeId: string
  readonly site: number
  readonly seed: number
  readonly weight: number
}

interface PlacementSite {
  readonly site: string
  readonly seed: number
  readonly weight: number
}

/** What placement needs of a map and a pool, computed once per epoch. */
export interface PlacementTable {
  readonly pool: Pool
  readonly shardCount: number
  readonly sites: readonly PlacementSite[]
  readonly nodes: readonly PlacementNode[]
}

/** Whether this process sees a node up and willing to take shards. */
export type IsUp = (nodeId: string) => boolean

/** A node that may be given shards of a pool: active, with the shard role, in one of the pool's sites. */
export function mayHold(node: MapNode, pool: Pool): boolean {
  const resident = pool.sites.length === 0 || pool.sites.includes(node.site)
  return resident && node.state === 'active' && node.roles.includes('shard')
}

/** Precomputes hashes and weights; keep it until the map's epoch rises. */
export function placementTable(map: Pick<ClusterMap, 'nodes'>, pool: Pool): PlacementTable {
  const holders = map.nodes.filter((node) => mayHold(node, pool))
  const siteNames = [...new Set(holders.map((node) => node.site))]
  const sites = siteNames.map((site) => ({
    site,
    seed: hash32(`site/${site}`),
    weight: holders.reduce((sum, node) => sum + (node.site === site ? weightOf(node) : 0), 0),
  }))
  const nodes = holders.map((node) => ({
    nodeId: node.nodeId,
    site: siteNames.indexOf(node.site),
    seed: hash32(`node/${node.nodeId}`),
    weight: weightOf(node),
  }))
  return { pool, shardCount: pool.dataShards + pool.parityShards, sites, nodes }
}

/**
 * Chooses the holder of each of the k+m shards of a new blob.
 *
 * First as if every node were up; then only the shards of nodes that are down move. Returns undefined when no node
 * may take shards. With too few nodes, shards double up: ask quorum.ts whether that is enough before writing.
 */
export function place(table: PlacementTable, blobId: string, isUp: IsUp): string[] | undefined {
  const ranked = rank(table, blobId)
  const everyone = new Load(
    table,
    ranked.map((candidate) => candidate.node),
  )
  if (ranked.length === 0) return undefined
  const ideal: PlacementNode[] = []
  for (let index = 0; index < table.shardCount; index += 1) ideal.push(everyone.take(ranked))
  if (ideal.every((node) => isUp(node.nodeId))) return ideal.map((node) => node.nodeId)

  const up = ranked.filter((candidate) => isUp(candidate.node.nodeId))
  if (up.length === 0) return undefined
  const load = new Load(
    table,
    up.map((candidate) => candidate.node),
  )
  const kept = ideal.map((node) => (isUp(node.nodeId) ? node : undefined))
  for (const node of kept) if (node !== undefined) load.add(node)
  return kept.map((node) => (node ?? load.take(up)).nodeId)
}

/**
 * The nodes to try for one shard whose holder failed, best first: those that keep the spread as even as it can be.
 *
 * @param holders who has, or is being written, each shard; undefined: nobody. The entry of `shardIndex` is ignored.
 *   Only holders that are up count towards the spread, as in quorum.ts.
 * @param isUp must be false for the node that just failed, or it is offered again
 */
export function substitutesFor(
  table: PlacementTable,
  blob: { blobId: string; holders: readonly (string | undefined)[]; shardIndex: number },
  isUp: IsUp,
): string[] {
  const up = rank(table, blob.blobId).filter((candidate) => isUp(candidate.node.nodeId))
  const load = new Load(
    table,
    up.map((candidate) => candidate.node),
  )
  blob.holders.forEach((nodeId, index) => {
    const holder = up.find((candidate) => candidate.node.nodeId === nodeId)
    if (index !== blob.shardIndex && holder !== undefined) load.add(holder.node)
  })
  return up.sort((a, b) => load.compare(a, b)).map((candidate) => candidate.node.nodeId)
}

interface Candidate {
  readonly node: PlacementNode
  /** Position of its site in the blob's order of sites. */
  readonly siteRank: number
  readonly score: number
}

/** All nodes of the table in the blob's order: by rank of their site, then by their own score. */
function rank(table: PlacementTable, blobId: string): Candidate[] {
  const seed = hash32(blobId)
  const siteScores = table.sites.map((site) => score(seed, site))
  const byScore = siteScores.map((_, at) => at)
  byScore.sort((a, b) => (siteScores[b] ?? 0) - (siteScores[a] ?? 0) || a - b)
  return table.nodes
    .map((node) => ({ node, siteRank: byScore.indexOf(node.site), score: score(seed, node) }))
    .sort((a, b) => a.siteRank - b.siteRank || b.score - a.score || (a.node.nodeId < b.node.nodeId ? -1 : 1))
}

/** Weighted rendezvous score: the largest wins with a probability in proportion to its weight. */
function score(blobSeed: number, domain: { seed: number; weight: number }): number {
  const uniform = (mix32(blobSeed ^ mix32(domain.seed + blobSeed)) + 0.5) / 0x1_0000_0000
  return -domain.weight / Math.log(uniform)
}

/** A node that reports no capacity still counts as a failure domain. */
function weightOf(node: MapNode): number {
  return Math.max(1, node.capacityBytes)
}

/** How many shards each node and site would hold; picks the next one. */
class Load {
  private readonly perNode = new Map<string, number>()
  private readonly perSite: number[]
  /** Most shards that one site may have; infinite when fewer sites are there than that needs. */
  private readonly siteMax: number

  constructor(table: PlacementTable, candidates: readonly PlacementNode[]) {
    this.perSite = table.sites.map(() => 0)
    const { parityShards } = table.pool
    const sites = new Set(candidates.map((node) => node.site)).size
    this.siteMax = sites * parityShards >= table.shardCount ? parityShards : Number.POSITIVE_INFINITY
  }

  add(node: PlacementNode): void {
    this.perNode.set(node.nodeId, this.onNode(node) + 1)
    this.perSite[node.site] = this.inSite(node) + 1
  }

  /** Takes the best candidate. `candidates`: not empty, in the blob's order. */
  take(candidates: readonly Candidate[]): PlacementNode {
    let best = candidates[0]
    for (const candidate of candidates) {
      if (best !== undefined && this.crowding(candidate, best) < 0) best = candidate
    }
    invariant(best !== undefined, 'a shard is placed among at least one candidate')
    this.add(best.node)
    return best.node
  }

  /** Negative when a shard more is better placed on `a`: site not full, then emptier node, emptier site, rank. */
  compare(a: Candidate, b: Candidate): number {
    return (
      this.crowding(a, b) ||
      a.siteRank - b.siteRank ||
      b.score - a.score ||
      (a.node.nodeId < b.node.nodeId ? -1 : 1)
    )
  }

  private crowding(a: Candidate, b: Candidate): number {
    return (
      this.overfull(a.node) - this.overfull(b.node) ||
      this.onNode(a.node) - this.onNode(b.node) ||
      this.inSite(a.node) - this.inSite(b.node)
    )
  }

  private overfull(node: PlacementNode): number {
    return this.inSite(node) >= this.siteMax ? 1 : 0
  }

  private onNode(node: PlacementNode): number {
    return this.perNode.get(node.nodeId) ?? 0
  }

  private inSite(node: PlacementNode): number {
    return this.perSite[node.site] ?? 0
  }
}
