/**
 * All that a node does in the background: repair, garbage collection and lifecycle of the groups it leads, garbage
 * collection and scrub of its own disk. Put together here, so that the process wires one thing.
 */

import type { ClusterMap, Pool } from '../core/cluster-map.ts'
import { realDayMs } from '../core/lifecycle.ts'
import type { Bucket } from '../core/registry-types.ts'
import type { Caller } from '../protocol/messages.ts'
import { type ShardKey, type ShardStore, shardName } from '../protocol/shard-store.ts'
import type { Clock, Random } from '../world.ts'
import { GroupCollector } from './gc-worker.ts'
import { LocalCollector } from './gc-worker-local.ts'
import { LifecycleWorker } from './lifecycle-worker.ts'
import { type RepairConfig, RepairWorker } from './repair-worker.ts'
import { type ScrubProgress, ScrubWorker } from './scrub-worker.ts'
import type { CatalogAccess, CatalogGroup } from './shard-group.ts'
import { GroupGauges, type ShardMetrics } from './shard-metrics.ts'

export interface ShardWorkersConfig extends RepairConfig {
  /** Sealed shards younger than this are not looked at by garbage collection. */
  readonly gcGraceMs: number
  /** How long shards of dead blobs, and copies that have moved, stay for readers under way. */
  readonly garbageDelayMs: number
  readonly scrubBytesPerSecond: number
  readonly scrubPassMs: number
  /** A day of lifecycle rules; only tests shorten it. */
  readonly lifecycleDayMs: number
}

/** What fits a disk of some TB and a link of 1 Gbit/s; the times of a federation in earnest. */
export const shardWorkersDefaults: ShardWorkersConfig = {
  repairDelayMs: 600_000,
  censusIntervalMs: 3_600_000,
  bytesPerSecond: 64 * 1024 * 1024,
  gcGraceMs: 3_600_000,
  garbageDelayMs: 300_000,
  scrubBytesPerSecond: 16 * 1024 * 1024,
  scrubPassMs: 7 * 24 * 3_600_000,
  lifecycleDayMs: realDayMs,
}

export interface ShardWorkersParts {
  readonly nodeId: string
  readonly store: ShardStore
  readonly caller: Caller
  readonly clock: Clock
  readonly random: Random
  readonly metrics: ShardMetrics
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean
  /** Replicas of catalog groups on this node (`catalogGroupOf`). */
  readonly groups: readonly CatalogGroup[]
  readonly catalog: CatalogAccess
  /** The pool of a bucket by the registry; undefined: not known. Cache it: asked for every blob. */
  readonly poolOf: (bucketId: string) => Promise<Pool | undefined>
  /** All buckets with their documents; throws ClusterError when the registry does not answer. */
  readonly buckets: () => Promise<readonly Bucket[]>
  /** Wall time that most members agree on, for what cannot be undone. */
  readonly agreedClock: Clock
  readonly scrubProgress: ScrubProgress
  readonly config: ShardWorkersConfig
  /** For operators: repairs that failed, shards that were set aside. */
  readonly log?: ((message: string, details: Readonly<Record<string, unknown>>) => void) | undefined
}

export interface ShardWorkers {
  /** A reader found a bad cell: give this to the shard service as `onCorrupt`. */
  readonly suspect: (key: ShardKey) => void
  start(): void
  stop(): void
}

export function createShardWorkers(parts: ShardWorkersParts): ShardWorkers {
  const { config, metrics, clock, store } = parts
  const gauges = new GroupGauges(metrics)
  const leading = parts.groups.flatMap((group) => [
    new RepairWorker({ ...parts, group, gauges }),
    new GroupCollector({ ...parts, group, gauges, garbageDelayMs: config.garbageDelayMs }),
    new LifecycleWorker({ ...parts, group, clock: parts.agreedClock, dayMs: config.lifecycleDayMs }),
  ])
  const local = new LocalCollector({
    ...parts,
    graceMs: config.gcGraceMs,
    movedDelayMs: config.garbageDelayMs,
  })
  const scrub = new ScrubWorker({
    store,
    clock,
    metrics,
    progress: parts.scrubProgress,
    bytesPerSecond: config.scrubBytesPerSecond,
    passMs: config.scrubPassMs,
    onQuarantined: (key) => parts.log?.('a corrupt shard was set aside', { shard: shardName(key) }),
  })
  const all = [...leading, local, scrub]
  return {
    suspect: (key) => scrub.suspect(key),
    start: () => {
      for (const worker of all) worker.start()
    },
    stop: () => {
      for (const worker of all) worker.stop()
    },
  }
}
