/** Cluster maps for tests: sites named a, b, c ..., nodes a-1, a-2 ...; nothing of a running federation. */
import type { ClusterMap, MapNode, Pool } from '../../node/core/cluster-map.ts'

export const defaultPool: Pool = {
  poolId: 'default',
  code: 'cauchy-gf16',
  dataShards: 4,
  parityShards: 2,
  cellBytes: 262_144,
  sites: [],
}

/** A node of site `a` named `a-1`. */
export function nodeOf(nodeId: string, extra: Partial<MapNode> = {}): MapNode {
  const site = nodeId.split('-')[0] ?? ''
  return {
    nodeId,
    operatorId: `op-${site}`,
    site,
    roles: ['catalog', 'shard', 'witness'],
    publicKey: '',
    journalKey: '',
    capacityBytes: 1e12,
    state: 'active',
    ...extra,
  }
}

/** `nodesPerSite[i]`: how many nodes the i-th site has. */
export function nodesOf(nodesPerSite: readonly number[]): MapNode[] {
  return nodesPerSite.flatMap((count, site) =>
    Array.from({ length: count }, (_, at) => nodeOf(`${String.fromCharCode(97 + site)}-${at + 1}`)),
  )
}

export function mapOf(nodes: readonly MapNode[], pool: Pool = defaultPool): ClusterMap {
  return { federationId: 'f0', epoch: 1, operators: [], nodes, pools: [pool], groups: [], slots: [] }
}

/** Everyone is up but the nodes and sites named. */
export function upExcept(...down: readonly string[]): (nodeId: string) => boolean {
  return (nodeId) => !down.includes(nodeId) && !down.includes(nodeId.split('-')[0] ?? '')
}

/** How often each name occurs, most frequent first. */
export function spread(names: readonly string[]): number[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts.values()].sort((x, y) => y - x)
}

export function siteOf(nodeId: string): string {
  return nodeId.split('-')[0] ?? ''
}
