/**
 * The shape of a local federation: which operators, sites, nodes, groups and which pool, from two numbers.
 *
 * Pure. Invariant: a shape that is returned can store; what it does not survive is said in `warnings`, what cannot
 * work at all is refused. Leaves keys, ports and files to others.
 */
import type { MapGroup, NodeRole, Pool } from '../../node/core/cluster-map.ts'

/** The Bund and the sixteen Laender, the three of the default federation first. */
const places = [
  { operatorId: 'bund', name: 'Bund', site: 'bund-berlin' },
  { operatorId: 'by', name: 'Bayern', site: 'by-muenchen' },
  { operatorId: 'nw', name: 'Nordrhein-Westfalen', site: 'nw-duesseldorf' },
  { operatorId: 'bw', name: 'Baden-Wuerttemberg', site: 'bw-stuttgart' },
  { operatorId: 'he', name: 'Hessen', site: 'he-wiesbaden' },
  { operatorId: 'ni', name: 'Niedersachsen', site: 'ni-hannover' },
  { operatorId: 'sn', name: 'Sachsen', site: 'sn-dresden' },
  { operatorId: 'rp', name: 'Rheinland-Pfalz', site: 'rp-mainz' },
  { operatorId: 'be', name: 'Berlin', site: 'be-berlin' },
  { operatorId: 'sh', name: 'Schleswig-Holstein', site: 'sh-kiel' },
  { operatorId: 'bb', name: 'Brandenburg', site: 'bb-potsdam' },
  { operatorId: 'st', name: 'Sachsen-Anhalt', site: 'st-magdeburg' },
  { operatorId: 'th', name: 'Thueringen', site: 'th-erfurt' },
  { operatorId: 'hh', name: 'Hamburg', site: 'hh-hamburg' },
  { operatorId: 'mv', name: 'Mecklenburg-Vorpommern', site: 'mv-schwerin' },
  { operatorId: 'sl', name: 'Saarland', site: 'sl-saarbruecken' },
  { operatorId: 'hb', name: 'Bremen', site: 'hb-bremen' },
] as const

export const shapeLimits = {
  sitesMax: places.length,
  /** One machine carries them all: each node is a process of about 100 MB. */
  nodesMax: 24,
  /** Three replicas are the least that elect a leader after a loss, and six shards lie two each. */
  nodesMin: 3,
  /** Raft groups of the catalog: one per two nodes spreads the leaders; more only costs heartbeats. */
  nodesPerCatalogGroup: 2,
  catalogGroupsMin: 3,
  replicas: 3,
  /** Five registry voters survive two sites; more only slow every vote. */
  registryVotersMax: 5,
  /** Hash slots; fixed for the life of a federation, so many more than groups. */
  slots: 256,
  cellBytes: 262_272,
} as const

export interface ShapeRequest {
  readonly sites: number
  readonly nodesPerSite: number
}

export interface ShapeNode {
  readonly nodeId: string
  readonly operatorId: string
  readonly site: string
  readonly roles: readonly NodeRole[]
}

export interface Shape {
  readonly operators: readonly { readonly operatorId: string; readonly name: string; readonly site: string }[]
  readonly nodes: readonly ShapeNode[]
  readonly groups: readonly MapGroup[]
  readonly slots: readonly string[]
  readonly pool: Pool
  /** What this federation does not survive although the default one does; for people. */
  readonly warnings: readonly string[]
}

const storageRoles: readonly NodeRole[] = ['catalog', 'shard', 'witness']

/** Throws an Error that says what is impossible and what would be possible. */
export function planShape({ sites, nodesPerSite }: ShapeRequest): Shape {
  refuseImpossible({ sites, nodesPerSite })
  const operators = places.slice(0, sites)
  const nodes = operators.flatMap(({ operatorId, site }) =>
    Array.from({ length: nodesPerSite }, (_, index) => ({
      nodeId: `${operatorId}-${index + 1}`,
      operatorId,
      site,
      roles: storageRoles,
    })),
  )
  const groups = planGroups(nodes, sites)
  const catalogIds = groups.filter((group) => group.kind === 'catalog').map((group) => group.groupId)
  return {
    operators,
    nodes,
    groups,
    slots: Array.from({ length: shapeLimits.slots }, (_, slot) => catalogIds[slot % catalogIds.length] ?? ''),
    pool: poolFor(sites),
    warnings: warningsFor(sites),
  }
}

function refuseImpossible({ sites, nodesPerSite }: ShapeRequest): void {
  if (!Number.isInteger(sites) || sites < 1 || sites > shapeLimits.sitesMax) {
    throw new Error(`--sites must be 1 to ${shapeLimits.sitesMax} (the Bund and the Laender), got ${sites}`)
  }
  if (!Number.isInteger(nodesPerSite) || nodesPerSite < 1) {
    throw new Error(`--nodes-per-site must be a whole number from 1 on, got ${nodesPerSite}`)
  }
  const count = sites * nodesPerSite
  if (count > shapeLimits.nodesMax) {
    throw new Error(
      `${sites} sites x ${nodesPerSite} nodes are ${count} processes; at most ${shapeLimits.nodesMax}`,
    )
  }
  if (count < shapeLimits.nodesMin) {
    throw new Error(
      `${sites} site(s) x ${nodesPerSite} node(s) cannot keep an upload safe: with fewer than ${shapeLimits.nodesMin} ` +
        'nodes no node may fail, so every write would be refused. Try --sites 3 --nodes-per-site 1, or more.',
    )
  }
}

function poolFor(sites: number): Pool {
  // Two sites: half of the shards must be enough. From three on, 4+2 survives any site at half of the overhead.
  const code = sites === 2 ? { dataShards: 2, parityShards: 2 } : { dataShards: 4, parityShards: 2 }
  return { poolId: 'default', code: 'cauchy-xor', ...code, cellBytes: shapeLimits.cellBytes, sites: [] }
}

function warningsFor(sites: number): string[] {
  if (sites >= 3) return []
  if (sites === 1) {
    return [
      'one site only: its loss loses everything; the loss of one node is survived (three sites survive any site)',
    ]
  }
  return [
    'two sites only: no data is lost with a site, but when the one with the majority of catalog replicas is gone, ' +
      'nothing can be read or written until it returns (three sites go on)',
  ]
}

/** Catalog groups and the registry, each on as many sites as it has replicas (or all), evenly over the nodes. */
function planGroups(nodes: readonly ShapeNode[], sites: number): MapGroup[] {
  const load = new Map(nodes.map((node) => [node.nodeId, 0]))
  const catalogCount = Math.max(
    shapeLimits.catalogGroupsMin,
    Math.floor(nodes.length / shapeLimits.nodesPerCatalogGroup),
  )
  const voters = sites >= shapeLimits.registryVotersMax ? shapeLimits.registryVotersMax : shapeLimits.replicas
  const catalogs = Array.from({ length: catalogCount }, (_, index) => ({
    groupId: `catalog-${index + 1}`,
    kind: 'catalog' as const,
    members: chooseMembers(nodes, shapeLimits.replicas, load),
  }))
  return [{ groupId: 'registry', kind: 'registry', members: chooseMembers(nodes, voters, load) }, ...catalogs]
}

/** `count` different nodes: each next one from the site used least by this group, then the least loaded; raises `load`. */
function chooseMembers(
  nodes: readonly ShapeNode[],
  count: number,
  load: Map<string, number>,
): MapGroup['members'] {
  const chosen: ShapeNode[] = []
  const siteLoad = (site: string): number =>
    nodes.filter((node) => node.site === site).reduce((sum, node) => sum + (load.get(node.nodeId) ?? 0), 0)
  while (chosen.length < count) {
    const cost = (node: ShapeNode): readonly [number, number, number] => [
      chosen.filter((other) => other.site === node.site).length,
      siteLoad(node.site),
      load.get(node.nodeId) ?? 0,
    ]
    const next = nodes
      .filter((node) => !chosen.includes(node))
      .reduce((best, node) => (compare(cost(node), cost(best)) < 0 ? node : best))
    chosen.push(next)
    load.set(next.nodeId, (load.get(next.nodeId) ?? 0) + 1)
  }
  return chosen.map((node) => ({ nodeId: node.nodeId, learner: false }))
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
