/**
 * What a sound cluster map looks like: names and keys are unique, references lead somewhere, groups and pools can work.
 *
 * Checked when a federation is founded and after every change, so that a map in force is always sound.
 */
import type { ClusterMap, MapGroup, MapNode, Pool } from './cluster-map.ts'
import { exactRecord, integer, list, matching, oneOf, text } from './shape.ts'
import { slotCount } from './slots.ts'

/** The bounds of a cluster map, each with its reason. */
export const mapLimits = {
  /** Bund, Laender, and agencies of theirs. */
  operatorsMax: 100,
  /** The map is one row and one answer; at this size about 400 KB. */
  nodesMax: 1000,
  poolsMax: 100,
  groupsMax: 1000,
  /** Raft groups larger than this only get slower. */
  groupMembersMax: 9,
  /** Shard indices are one byte in shard files. */
  shardsMax: 256,
  cellBytesMax: 64 * 2 ** 20,
} as const

/** Names that stand in metrics, logs and file names. */
const name = matching(/^[a-z0-9][a-z0-9-]{0,62}$/)
const publicKey = matching(/^[0-9a-f]{64}$/)

/** The shape of a node's entry in the map. */
export const nodeShape = exactRecord({
  nodeId: name,
  operatorId: name,
  site: name,
  roles: list(oneOf('catalog', 'shard', 'witness', 'gateway', 'auditor'), { min: 1, max: 5 }),
  publicKey,
  journalKey: publicKey,
  capacityBytes: integer(0),
  state: oneOf('active', 'draining', 'suspended'),
})

const mapShape = exactRecord({
  federationId: matching(/^[0-9a-zA-Z-]{1,64}$/),
  epoch: integer(1),
  operators: list(exactRecord({ operatorId: name, name: text(256), publicKey }), {
    min: 1,
    max: mapLimits.operatorsMax,
  }),
  nodes: list(nodeShape, { min: 1, max: mapLimits.nodesMax }),
  pools: list(
    exactRecord({
      poolId: name,
      code: text(64),
      dataShards: integer(1, mapLimits.shardsMax),
      parityShards: integer(1, mapLimits.shardsMax),
      cellBytes: integer(1, mapLimits.cellBytesMax),
      sites: list(name, { max: mapLimits.nodesMax }),
    }),
    { min: 1, max: mapLimits.poolsMax },
  ),
  groups: list(
    exactRecord({
      groupId: name,
      kind: oneOf('registry', 'catalog'),
      members: list(exactRecord({ nodeId: name, learner: oneOf(true, false) }), {
        min: 1,
        max: mapLimits.groupMembersMax,
      }),
    }),
    { min: 2, max: mapLimits.groupsMax },
  ),
  slots: list(name, { min: slotCount, max: slotCount }),
})

/** What is wrong with a map of unknown origin, or undefined. */
export function wrongWithMap(candidate: unknown): string | undefined {
  const wrong = mapShape(candidate)
  if (wrong !== undefined) return `map${wrong}`
  const map = candidate as ClusterMap
  return (
    wrongWithNames(map) ??
    map.nodes.map((node) => wrongWithNode(node, map)).find((each) => each !== undefined) ??
    map.groups.map((group) => wrongWithGroup(group, map)).find((each) => each !== undefined) ??
    map.pools.map((pool) => wrongWithPool(pool, map)).find((each) => each !== undefined) ??
    wrongWithSlots(map)
  )
}

/** Ids are unique among their kind; a key belongs to one operator or to one purpose of one node. */
function wrongWithNames(map: ClusterMap): string | undefined {
  const names = {
    operator: map.operators.map((each) => each.operatorId),
    node: map.nodes.map((each) => each.nodeId),
    pool: map.pools.map((each) => each.poolId),
    group: map.groups.map((each) => each.groupId),
    key: [
      ...map.operators.map((each) => each.publicKey),
      ...map.nodes.flatMap((each) => [each.publicKey, each.journalKey]),
    ],
  }
  for (const [kind, all] of Object.entries(names)) {
    if (new Set(all).size !== all.length) return `a ${kind} is used twice`
  }
  return undefined
}

function wrongWithNode(node: MapNode, map: ClusterMap): string | undefined {
  const known = map.operators.some((operator) => operator.operatorId === node.operatorId)
  return known ? undefined : `node ${node.nodeId} belongs to no operator of the federation`
}

function wrongWithGroup(group: MapGroup, map: ClusterMap): string | undefined {
  const ids = group.members.map((member) => member.nodeId)
  if (new Set(ids).size !== ids.length) return `group ${group.groupId} names a member twice`
  if (group.members.every((member) => member.learner)) return `group ${group.groupId} has no voter`
  const hosts = map.nodes.filter((node) => node.roles.includes('catalog')).map((node) => node.nodeId)
  const stranger = ids.find((nodeId) => !hosts.includes(nodeId))
  return stranger === undefined ? undefined : `member ${stranger} of ${group.groupId} is no catalog node`
}

function wrongWithPool(pool: Pool, map: ClusterMap): string | undefined {
  if (pool.dataShards + pool.parityShards > mapLimits.shardsMax)
    return `pool ${pool.poolId} has too many shards`
  const sites = new Set(map.nodes.map((node) => node.site))
  const nowhere = pool.sites.find((site) => !sites.has(site))
  return nowhere === undefined ? undefined : `pool ${pool.poolId} names site ${nowhere}, which has no node`
}

function wrongWithSlots(map: ClusterMap): string | undefined {
  if (map.groups.filter((group) => group.kind === 'registry').length !== 1)
    return 'there is one registry group'
  const catalogs = map.groups.filter((group) => group.kind === 'catalog').map((group) => group.groupId)
  const stray = map.slots.find((groupId) => !catalogs.includes(groupId))
  return stray === undefined ? undefined : `a slot points to ${stray}, which is no catalog group`
}
