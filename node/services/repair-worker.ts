/**
 * Repair of one catalog group, on its leader: takes the census, and rebuilds, moves and spreads shards by its findings.
 *
 * A blob is looked at again before anything is done to it. A shard that changes its node is claimed in the catalog
 * first, then written, then relocated: only so may garbage collection trust what it reads (catalog-blobs.ts). The old
 * copy is left to the garbage collection of its node.
 *
 * Invariant: nothing here deletes a shard. Work is paced in bytes and bounded in number. Leaves what to do to
 * core/repair.ts, and the copying to rebuild.ts on the target.
 */

import type { ShardedBlobRow } from '../core/catalog-rows.ts'
import type { ShardedBlob } from '../core/catalog-types.ts'
import type { ClusterMap, Pool } from '../core/cluster-map.ts'
import type { RepairTask } from '../core/repair.ts'
import { RepairBacklog } from '../core/repair-backlog.ts'
import { ClusterError } from '../errors.ts'
import type { Caller } from '../protocol/messages.ts'
import type { Clock, Random } from '../world.ts'
import { type CensusCounts, lookAgain, type RepairWorld, takeCensus } from './repair-census.ts'
import { PeerHistory } from './repair-peers.ts'
import type { CatalogGroup } from './shard-group.ts'
import type { GroupGauges, ShardMetrics } from './shard-metrics.ts'
import { Pace, pause } from './shard-pace.ts'

export const repairLimits = {
  /** How often peers and leadership are looked at. */
  tickMs: 500,
  /** After a peer came or went: more will follow (a site), and a node that starts needs a moment. */
  settleMs: 2_000,
  /** Blobs under repair at once, per group. */
  blobsAtOnceMax: 4,
  /** Shards of one blob in one go; then it has to queue again. */
  stepsPerBlobMax: 8,
  /** Blobs that wait; the next census finds the others. */
  backlogMax: 10_000,
  /** A node that had no space, or too much to do, is not asked again for so long. */
  sparedMs: 30_000,
  /** A node that has enough rebuilds under way (of other groups) is asked again, up to half a minute. */
  busyPauseMs: 500,
  busyAttemptsMax: 60,
  /** A rebuild may take so long: a shard of the largest part over a slow link. */
  rebuildTimeoutMs: 600_000,
} as const

export interface RepairConfig {
  /** A holder that is down for longer is replaced. */
  readonly repairDelayMs: number
  /** Between two censuses when nothing happens. */
  readonly censusIntervalMs: number
  /** What all rebuilds of the group may read, together. */
  readonly bytesPerSecond: number
}

export interface RepairOptions {
  readonly group: CatalogGroup
  readonly caller: Caller
  readonly clock: Clock
  readonly random: Random
  readonly metrics: ShardMetrics
  readonly gauges: GroupGauges
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean
  /** The pool of a bucket, from the registry (cached by whoever gives it); undefined: not known now. */
  readonly poolOf: (bucketId: string) => Promise<Pool | undefined>
  readonly config: RepairConfig
  readonly log?: ((message: string, details: Readonly<Record<string, unknown>>) => void) | undefined
}

export class RepairWorker {
  readonly #options: RepairOptions
  readonly #peers: PeerHistory
  readonly #pace: Pace
  readonly #backlog = new RepairBacklog(repairLimits.backlogMax)
  /** Nodes not to be given shards, until when (monotonic ms). */
  readonly #spared = new Map<string, number>()
  readonly #underRepair = new Map<string, Promise<void>>()
  /** Shards dealt with since the last census that was begun for it. */
  #repaired = 0
  #wasLeader = false
  #censusDueMs = 0
  #censusUnderWay = false
  #cancelTick: (() => void) | undefined
  #stopped = false

  constructor(options: RepairOptions) {
    this.#options = options
    this.#peers = new PeerHistory(options.config.repairDelayMs)
    this.#pace = new Pace(options.clock, options.config.bytesPerSecond)
  }

  start(): void {
    this.tick()
    this.#cancelTick = this.#options.clock.after(repairLimits.tickMs, () => {
      if (!this.#stopped) this.start()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTick?.()
  }

  /** Looks at peers and leadership; begins a census when one is due, and repairs while there is a backlog. */
  tick(): void {
    const { group, clock, map, isUp, config } = this.#options
    const nowMs = clock.monotonicMs()
    const changed = this.#peers.observe(map(), isUp, nowMs)
    if (!group.isLeader()) {
      if (this.#wasLeader) this.#withdraw()
      this.#wasLeader = false
      return
    }
    // After a backlog was worked off the numbers are old, and what failed is to be found again.
    const workedOff = this.#repaired > 0 && this.#backlog.size + this.#underRepair.size === 0
    if (changed || workedOff || !this.#wasLeader)
      this.#censusDueMs = Math.min(this.#censusDueMs, nowMs + repairLimits.settleMs)
    if (workedOff) this.#repaired = 0
    this.#wasLeader = true
    if (nowMs >= this.#censusDueMs && !this.#censusUnderWay) {
      this.#censusDueMs = nowMs + config.censusIntervalMs
      this.census().then(
        () => this.#repairWhileWaiting(),
        // Rows could not be read, for example while the group closes: taken again when it is due.
        () => undefined,
      )
    }
    this.#repairWhileWaiting()
  }

  /** Compares all blobs of the group with the nodes' inventories; fills the backlog and the gauges. */
  async census(): Promise<CensusCounts | undefined> {
    const { group, caller } = this.#options
    this.#censusUnderWay = true
    try {
      const counts = await takeCensus(group, caller, {
        world: this.#world(),
        onPlan: ({ blob, claims }, { tasks, urgency }) => {
          if (tasks.length > 0 || claims !== undefined) this.#backlog.add(blob.blobId, urgency)
          else this.#backlog.remove(blob.blobId)
        },
      })
      if (counts !== undefined) this.#show(counts)
      return counts
    } finally {
      this.#censusUnderWay = false
    }
  }

  /** Repairs until the backlog is empty; for tests and for whoever wants to wait. */
  async repairAll(): Promise<void> {
    this.#repairWhileWaiting()
    while (this.#underRepair.size > 0) await Promise.all(this.#underRepair.values())
  }

  #repairWhileWaiting(): void {
    while (this.#underRepair.size < repairLimits.blobsAtOnceMax && this.#mayWork()) {
      const blobId = this.#backlog.take()
      // One that is under repair is left to the next census: what is found now may already be done.
      if (blobId === undefined || this.#underRepair.has(blobId)) break
      const ended = this.#repair(blobId).finally(() => {
        this.#underRepair.delete(blobId)
        this.#repairWhileWaiting()
      })
      this.#underRepair.set(blobId, ended)
    }
    this.#showBacklog()
  }

  #mayWork(): boolean {
    return !this.#stopped && this.#options.group.isLeader()
  }

  /** Does what the blob needs, one shard after the other, each by a fresh plan. Never rejects. */
  async #repair(blobId: string): Promise<void> {
    const { group, caller, metrics } = this.#options
    try {
      for (let step = 0; step < repairLimits.stepsPerBlobMax && this.#mayWork(); step++) {
        const seen = await lookAgain(group, caller, { world: this.#world(), blobId })
        if (seen === undefined) return
        await this.#withdrawOthers(seen.row)
        const task = seen.plan.tasks[0]
        if (task === undefined) return
        await this.#do(task, seen.row.blob)
      }
    } catch (error) {
      // The next census finds what is left to do.
      metrics.add('bundescloud_repair_shards_total', 1, 'failed')
      this.#options.log?.('a repair failed', { blobId, groupId: group.groupId, error: String(error) })
    }
  }

  async #do(task: RepairTask, blob: ShardedBlob): Promise<void> {
    const { group, metrics, random } = this.#options
    const { blobId, generation, shardIndex, from, to } = task
    const move = { kind: 'relocate-shard', blobId, generation, shardIndex, from, to } as const
    const claimId = random.hex(16)
    if (to !== from) await group.propose({ ...move, step: 'claim', claimId })
    try {
      await this.#rebuild(task, blob)
    } catch (error) {
      this.#spare(to, error)
      // Withdrawn, so that what the target may have written can be collected.
      if (to !== from) await group.propose({ ...move, to: from, step: 'claim', claimId })
      throw error
    }
    if (to !== from) await group.propose({ ...move, claimId })
    metrics.add('bundescloud_repair_shards_total', 1, to === from ? 'rebuilt' : 'moved')
    this.#repaired++
  }

  /** Claims of a leader that died, or does not know that it is deposed: its moves would keep garbage alive. */
  async #withdrawOthers({ blob, claims = [] }: ShardedBlobRow): Promise<void> {
    const { blobId, generation, holders } = blob
    for (const { shardIndex, claimId } of claims) {
      const holder = holders[shardIndex] ?? ''
      const move = { blobId, generation, shardIndex, from: holder, to: holder, claimId } as const
      await this.#options.group.propose({ kind: 'relocate-shard', step: 'claim', ...move })
    }
  }

  async #rebuild(task: RepairTask, blob: ShardedBlob): Promise<void> {
    const { group, caller, clock, metrics } = this.#options
    const { blobId, code, dataShards, parityShards, cellBytes, generation, bytes } = blob
    const { shardIndex, sources } = task
    const { groupId } = group
    const header = { blobId, shardIndex, groupId, code, dataShards, parityShards, cellBytes, generation }
    await this.#pace.take(sources[shardIndex] === undefined ? bytes : bytes / dataShards)
    const request = { header, bytes, sources }
    const timeoutMs = repairLimits.rebuildTimeoutMs
    for (let attempt = 1; ; attempt++) {
      try {
        const { reply } = await caller.call(task.to, 'rebuild-shard', request, { timeoutMs })
        metrics.add('bundescloud_repair_read_bytes_total', reply.bytesRead)
        return
      } catch (error) {
        const busy = error instanceof ClusterError && error.code === 'Overloaded'
        if (!busy || attempt >= repairLimits.busyAttemptsMax || !this.#mayWork()) throw error
        await pause(clock, repairLimits.busyPauseMs)
      }
    }
  }

  #spare(nodeId: string, error: unknown): void {
    const spared = ['NoSpace', 'Overloaded', 'GenerationMismatch', 'Timeout']
    if (error instanceof ClusterError && spared.includes(error.code))
      this.#spared.set(nodeId, this.#options.clock.monotonicMs() + repairLimits.sparedMs)
  }

  #world(): RepairWorld {
    const { clock, map, isUp, poolOf } = this.#options
    const isWilling = (nodeId: string): boolean => (this.#spared.get(nodeId) ?? 0) <= clock.monotonicMs()
    const isGone = (nodeId: string): boolean => this.#peers.isGone(nodeId, clock.monotonicMs())
    return { map: map(), isUp, isGone, isWilling, poolOf }
  }

  #show(counts: CensusCounts): void {
    const { gauges, group, clock } = this.#options
    const { groupId } = group
    const missing = (count: number): number => counts.byMissing[count] ?? 0
    const more = counts.byMissing.slice(5).reduce((sum, each) => sum + (each ?? 0), 0)
    gauges.set(groupId, 'bundescloud_blobs_sharded', counts.blobs)
    gauges.set(groupId, 'bundescloud_blobs_lost', counts.lost)
    gauges.set(groupId, 'bundescloud_blobs_misplaced', counts.misplaced)
    gauges.set(groupId, 'bundescloud_blobs_degraded', missing(1), '1')
    gauges.set(groupId, 'bundescloud_blobs_degraded', missing(2), '2')
    gauges.set(groupId, 'bundescloud_blobs_degraded', missing(3), '3')
    gauges.set(groupId, 'bundescloud_blobs_degraded', missing(4), '4')
    gauges.set(groupId, 'bundescloud_blobs_degraded', more, 'more')
    gauges.set(groupId, 'bundescloud_census_last_end_seconds', clock.wallMs() / 1_000)
    this.#showBacklog()
  }

  #showBacklog(): void {
    const waiting = this.#backlog.size + this.#underRepair.size
    this.#options.gauges.set(this.#options.group.groupId, 'bundescloud_repair_backlog_blobs', waiting)
  }

  /** Another node leads the group: its numbers are that one's to tell. */
  #withdraw(): void {
    const { gauges, group } = this.#options
    this.#backlog.clear()
    this.#censusDueMs = 0
    for (const metric of [
      'bundescloud_blobs_sharded',
      'bundescloud_blobs_lost',
      'bundescloud_blobs_misplaced',
      'bundescloud_census_last_end_seconds',
      'bundescloud_repair_backlog_blobs',
    ] as const)
      gauges.withdraw(group.groupId, metric)
    for (const missing of ['1', '2', '3', '4', 'more'] as const)
      gauges.withdraw(group.groupId, 'bundescloud_blobs_degraded', missing)
  }
}
