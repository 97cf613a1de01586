/**
 * The gateway's only door into the cluster: finds leaders, knows the map and who is up, moves shards.
 */
import type { ClusterMap, Pool } from './core/cluster-map.ts'
import { ClusterError } from './errors.ts'
import type { Caller } from './protocol/messages.ts'
import { GroupRouter } from './services/group-router.ts'
import type { Clock, Random } from './world.ts'

export interface ClusterClientParts {
  readonly caller: Caller
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean
  readonly clock: Clock
  readonly random: Random
}

export class ClusterClient {
  readonly caller: Caller
  readonly router: GroupRouter
  readonly clock: Clock
  readonly random: Random
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean

  constructor(parts: ClusterClientParts) {
    this.caller = parts.caller
    this.clock = parts.clock
    this.random = parts.random
    this.map = parts.map
    this.isUp = parts.isUp
    this.router = new GroupRouter(parts)
  }

  catalogGroups(): readonly string[] {
    return this.map()
      .groups.filter((group) => group.kind === 'catalog')
      .map((group) => group.groupId)
  }

  pool(poolId: string): Pool {
    const pool = this.map().pools.find((candidate) => candidate.poolId === poolId)
    if (pool === undefined) throw new ClusterError('Internal', `the cluster map names no pool ${poolId}`)
    return pool
  }
}
