/**
 * Garbage collection of one node's disk: sealed shards that no catalog row refers to.
 *
 * Walks the local shards, asks the catalog group that each header names, and deletes only what core/gc.ts has proved
 * dead: fenced by consensus, or not ours and safe at its holder. Invariant: every deletion names the incarnation that
 * was looked at before the catalog was asked, so a copy that was written since stays; no answer, no deletion.
 */
import { judgeCopy, type Verdict } from '../core/gc.ts'
import { ClusterError } from '../errors.ts'
import type { Caller } from '../protocol/messages.ts'
import { type SealedShard, type ShardStore, shardName } from '../protocol/shard-store.ts'
import type { Clock } from '../world.ts'
import type { CatalogAccess } from './shard-group.ts'
import { Inventory, namesOfBlob } from './shard-inventory.ts'
import type { ShardMetrics } from './shard-metrics.ts'

export const localGcLimits = {
  /** Shards looked at, and blobs asked for, at once. */
  pageShards: 500,
  /** Moved copies remembered from round to round; more wait for a later one. */
  movedMax: 100_000,
  /** Between two rounds at least. */
  roundMsMin: 10_000,
} as const

export interface LocalCollectorOptions {
  readonly nodeId: string
  readonly store: ShardStore
  readonly catalog: CatalogAccess
  readonly caller: Caller
  readonly clock: Clock
  readonly metrics: ShardMetrics
  /** Younger shards are not looked at: their write may be under way. */
  readonly graceMs: number
  /** A moved copy stays so long after it was first seen to be one: readers may still come by an old row. */
  readonly movedDelayMs: number
}

type DeleteReason = 'garbage' | 'abandoned' | 'moved'

export class LocalCollector {
  readonly #options: LocalCollectorOptions
  /** Copies seen to be moved: incarnation and since when (monotonic ms), by shard name. */
  #moved = new Map<string, { sealedMs: number; sinceMs: number }>()
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(options: LocalCollectorOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, graceMs } = this.#options
    this.#cancel = clock.after(Math.max(localGcLimits.roundMsMin, graceMs / 2), () => {
      // What could not be asked is asked again in the next round.
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

  /** One walk over all shards of this disk, the quarantined ones too. */
  async round(): Promise<void> {
    const { store, metrics } = this.#options
    const seen = this.#moved
    this.#moved = new Map()
    let after: string | undefined = ''
    while (after !== undefined && !this.#stopped) {
      const page: Awaited<ReturnType<ShardStore['list']>> = await store.list(after, localGcLimits.pageShards)
      await this.#collect(page.shards, seen)
      after = page.next
    }
    const aside = await store.quarantined()
    metrics.set('bundescloud_shards_quarantined', aside.length)
    await this.#collectQuarantined(aside.flatMap(({ shard }) => shard ?? []))
  }

  async #collect(
    shards: readonly SealedShard[],
    seen: ReadonlyMap<string, { sealedMs: number; sinceMs: number }>,
  ): Promise<void> {
    for (const [groupId, old] of this.#oldByGroup(shards)) {
      const verdicts = await this.#judge(groupId, old)
      const fenced = await this.#fence(groupId, withVerdict(verdicts, 'fence'))
      await this.#delete(fenced, 'abandoned')
      await this.#delete(withVerdict(verdicts, 'delete'), 'garbage')
      for (const [shard, verdict] of verdicts) {
        if (verdict.verdict !== 'moved') continue
        if (this.#isRipe(shard, seen) && (await this.#isAt(verdict.holder, shard)))
          await this.#delete([shard], 'moved')
      }
    }
  }

  /** Quarantined shards that nobody needs any more; the others wait to be rebuilt here, or for their good cells. */
  async #collectQuarantined(shards: readonly SealedShard[]): Promise<void> {
    for (const [groupId, old] of this.#oldByGroup(shards)) {
      const verdicts = await this.#judge(groupId, old)
      const fenced = await this.#fence(groupId, withVerdict(verdicts, 'fence'))
      for (const [shard, verdict] of verdicts) {
        const moved = verdict.verdict === 'moved' && (await this.#isAt(verdict.holder, shard))
        if (moved || verdict.verdict === 'delete' || fenced.includes(shard))
          await this.#options.store.dropQuarantined(shard.header)
      }
    }
  }

  #oldByGroup(shards: readonly SealedShard[]): Map<string, SealedShard[]> {
    const { clock, graceMs } = this.#options
    const groups = new Map<string, SealedShard[]>()
    for (const shard of shards) {
      if (clock.wallMs() - shard.sealedMs < graceMs) continue
      const group = groups.get(shard.header.groupId)
      if (group === undefined) groups.set(shard.header.groupId, [shard])
      else group.push(shard)
    }
    return groups
  }

  /** Empty when the group could not be asked. */
  async #judge(groupId: string, shards: readonly SealedShard[]): Promise<Map<SealedShard, Verdict>> {
    const { catalog, nodeId, metrics } = this.#options
    const verdicts = new Map<SealedShard, Verdict>()
    const blobIds = [...new Set(shards.map(({ header }) => header.blobId))]
    const answers = await certain(() => catalog.findBlobs(groupId, blobIds))
    if (answers === undefined) metrics.add('bundescloud_shards_gc_doubts_total', shards.length, 'catalog')
    const byId = new Map(answers?.map((answer) => [answer.blobId, answer]))
    for (const shard of shards) {
      const { blobId, shardIndex, generation } = shard.header
      const answer = byId.get(blobId)
      if (answer !== undefined) verdicts.set(shard, judgeCopy({ nodeId, shardIndex, generation }, answer))
    }
    return verdicts
  }

  /** Those of the shards whose blobs are fenced for good now. */
  async #fence(groupId: string, shards: readonly SealedShard[]): Promise<SealedShard[]> {
    const { catalog, clock } = this.#options
    if (shards.length === 0) return []
    const blobIds = [...new Set(shards.map(({ header }) => header.blobId))]
    const referenced = await certain(() => {
      return catalog.abandonBlobs(groupId, blobIds, Math.floor(clock.wallMs()))
    })
    if (referenced === undefined) return []
    return shards.filter(({ header }) => !referenced.includes(header.blobId))
  }

  async #delete(shards: readonly SealedShard[], reason: DeleteReason): Promise<void> {
    const { store, metrics } = this.#options
    for (const { header, sealedMs } of shards) {
      if (await store.remove(header, sealedMs)) metrics.add('bundescloud_shards_deleted_total', 1, reason)
    }
  }

  /** Seen as moved, in this incarnation, for long enough. */
  #isRipe(
    { header, sealedMs }: SealedShard,
    seen: ReadonlyMap<string, { sealedMs: number; sinceMs: number }>,
  ): boolean {
    const { clock, movedDelayMs } = this.#options
    const name = shardName(header)
    const before = seen.get(name)
    const sinceMs = before?.sealedMs === sealedMs ? before.sinceMs : clock.monotonicMs()
    if (this.#moved.size < localGcLimits.movedMax) this.#moved.set(name, { sealedMs, sinceMs })
    return before?.sealedMs === sealedMs && clock.monotonicMs() - sinceMs >= movedDelayMs
  }

  /** Whether the catalog's holder itself says that it has the shard. */
  async #isAt(holder: string, { header }: SealedShard): Promise<boolean> {
    const { caller, metrics } = this.#options
    const range = namesOfBlob(header.groupId, header.blobId)
    const inventory = await Inventory.of(caller, [holder], range)
    const has = inventory.has(holder, header) === true
    if (!has) metrics.add('bundescloud_shards_gc_doubts_total', 1, 'holder')
    return has
  }
}

function withVerdict(verdicts: ReadonlyMap<SealedShard, Verdict>, wanted: Verdict['verdict']): SealedShard[] {
  return [...verdicts].flatMap(([shard, { verdict }]) => (verdict === wanted ? [shard] : []))
}

/** Undefined when the answer is not certain: refused, timed out, nobody there. */
async function certain<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ClusterError) return undefined
    throw error
  }
}
