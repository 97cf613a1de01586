/**
 * Garbage collection of one catalog group, on its leader: dead blobs are deleted at their holders, then forgotten.
 *
 * Invariant: only blobs that the catalog has fenced for good are deleted, after their readers have had their time; a
 * blob is forgotten when every holder that is in the map has confirmed. A holder that is down is asked again in the
 * next round. Leaves shards that no row names to gc-worker-local.ts.
 */
import { catalogLimits } from '../core/catalog-rows.ts'
import type { ClusterMap } from '../core/cluster-map.ts'
import { type DeadBlob, deletionsOf, forgettable } from '../core/gc.ts'
import { ClusterError } from '../errors.ts'
import type { Caller } from '../protocol/messages.ts'
import type { Clock } from '../world.ts'
import type { CatalogGroup } from './shard-group.ts'
import type { GroupGauges, ShardMetrics } from './shard-metrics.ts'

export const gcLimits = {
  /** Dead blobs dealt with at once; forget-garbage takes no more ids. */
  pageBlobs: 500,
  /** Shards in one delete-shards; the receiver takes no more. */
  deleteMax: 1_000,
  /** Blobs whose confirmations are remembered while another holder is down; forgotten ones are asked for again. */
  confirmedMax: 200_000,
  /** Between two rounds at least; also how soon a holder that was down is asked again. */
  roundMsMin: 5_000,
  /** Old fences are looked for so often (ms); they are kept for weeks. */
  fencesMs: 6 * 60 * 60 * 1000,
} as const

export interface GroupCollectorOptions {
  readonly group: CatalogGroup
  readonly caller: Caller
  readonly clock: Clock
  readonly metrics: ShardMetrics
  readonly gauges: GroupGauges
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean
  /** How long the shards of a dead blob stay for readers under way. */
  readonly garbageDelayMs: number
}

export class GroupCollector {
  readonly #options: GroupCollectorOptions
  /** Holders that have deleted their shards of blobs that are not forgotten yet, by blob: not asked again. */
  readonly #confirmed = new Map<string, Set<string>>()
  #fencesDueMs = 0
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(options: GroupCollectorOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, garbageDelayMs } = this.#options
    const roundMs = Math.max(gcLimits.roundMsMin, garbageDelayMs / 4)
    this.#cancel = clock.after(roundMs, () => {
      // An operating error ends this round; the next one begins from the rows again.
      this.round()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#stopped) this.start()
        })
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  /** One walk over the garbage of the group. */
  async round(): Promise<void> {
    const { group, gauges } = this.#options
    let waiting = 0
    let after: string | undefined = ''
    while (after !== undefined && group.isLeader()) {
      const page: Awaited<ReturnType<CatalogGroup['garbage']>> = await group.garbage({
        after,
        limit: gcLimits.pageBlobs,
      })
      waiting += page.entries.length - (await this.#collect(page.entries))
      after = page.next
    }
    if (!group.isLeader()) {
      gauges.withdraw(group.groupId, 'bundescloud_gc_garbage_blobs')
      this.#confirmed.clear()
      return
    }
    gauges.set(group.groupId, 'bundescloud_gc_garbage_blobs', waiting)
    await this.#forgetFences()
  }

  /** Deletes what is due and forgets what is confirmed; returns how many blobs were forgotten. */
  async #collect(entries: readonly DeadBlob[]): Promise<number> {
    const { group, clock, garbageDelayMs, map, metrics } = this.#options
    const due = entries.filter(({ sinceMs }) => clock.wallMs() - sinceMs >= garbageDelayMs)
    const members = new Set(map().nodes.map(({ nodeId }) => nodeId))
    // Who has left the federation has nothing to confirm.
    const isSettled = (nodeId: string, blobId: string): boolean =>
      !members.has(nodeId) || this.#confirmed.get(blobId)?.has(nodeId) === true
    const deletions = deletionsOf(due, isSettled)
    await Promise.all(
      [...deletions].map(async ([nodeId, shards]) => {
        if (await this.#deleteAt(nodeId, shards)) this.#confirm(nodeId, shards)
      }),
    )
    const blobIds = forgettable(due, isSettled)
    if (blobIds.length === 0) return 0
    await group.propose({ kind: 'forget-garbage', blobIds })
    for (const blobId of blobIds) this.#confirmed.delete(blobId)
    metrics.add('bundescloud_gc_forgotten_blobs_total', blobIds.length)
    return blobIds.length
  }

  #confirm(nodeId: string, shards: readonly { blobId: string }[]): void {
    if (this.#confirmed.size > gcLimits.confirmedMax) this.#confirmed.clear()
    for (const { blobId } of shards) {
      const nodes = this.#confirmed.get(blobId)
      if (nodes === undefined) this.#confirmed.set(blobId, new Set([nodeId]))
      else nodes.add(nodeId)
    }
  }

  /** True: the node has said that none of these shards is there any more. */
  async #deleteAt(
    nodeId: string,
    shards: readonly { blobId: string; shardIndex: number }[],
  ): Promise<boolean> {
    const { caller, isUp } = this.#options
    if (!isUp(nodeId)) return false
    try {
      for (let i = 0; i < shards.length; i += gcLimits.deleteMax)
        await caller.call(nodeId, 'delete-shards', { shards: shards.slice(i, i + gcLimits.deleteMax) })
      return true
    } catch (error) {
      if (error instanceof ClusterError) return false
      throw error
    }
  }

  /** The catalog itself keeps those that are not old enough. */
  async #forgetFences(): Promise<void> {
    const { group, clock } = this.#options
    if (clock.monotonicMs() < this.#fencesDueMs) return
    this.#fencesDueMs = clock.monotonicMs() + gcLimits.fencesMs
    let after: string | undefined = ''
    while (after !== undefined && group.isLeader()) {
      const page: Awaited<ReturnType<CatalogGroup['fences']>> = await group.fences({
        after,
        limit: gcLimits.pageBlobs,
      })
      const old = page.entries.filter(({ sinceMs }) => clock.wallMs() - sinceMs >= catalogLimits.fenceMsMin)
      const ids = old.map(({ id }) => id)
      if (ids.length > 0)
        await group.propose({ kind: 'forget-fences', ids, nowMs: Math.floor(clock.wallMs()) })
      after = page.next
    }
  }
}
