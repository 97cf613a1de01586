/**
 * Scrub: reads all shards of this disk again and again, slowly, and sets corrupt ones aside.
 *
 * In the order of names, with the place remembered over restarts; shards in which a reader found a bad cell come
 * first. A quarantined shard is no longer listed, so the next census finds it missing and repair rebuilds it here.
 * Invariant: what is quarantined was seen corrupt on the disk just before, in the incarnation named.
 */
import { ClusterError } from '../errors.ts'
import { type ShardKey, type ShardStore, shardName } from '../protocol/shard-store.ts'
import type { Clock } from '../world.ts'
import type { ShardMetrics } from './shard-metrics.ts'
import { Pace, pause } from './shard-pace.ts'

export const scrubLimits = {
  /** Shards listed at once. */
  pageShards: 200,
  /** Shards that readers complained about; more come in their turn. */
  suspectsMax: 1_000,
  /** The place is written down so often (shards): what a restart repeats. */
  progressShards: 50,
  /** Rest after a listing that found nothing, or a failure of the disk. */
  idleMs: 30_000,
} as const

/** Where the place is remembered. A lost place costs a repetition, no more. */
export interface ScrubProgress {
  load(): Promise<string>
  save(after: string): Promise<void>
}

export interface ScrubWorkerOptions {
  readonly store: ShardStore
  readonly clock: Clock
  readonly metrics: ShardMetrics
  readonly progress: ScrubProgress
  /** What scrub may read. */
  readonly bytesPerSecond: number
  /** From the beginning of one pass over the disk to that of the next, at least. */
  readonly passMs: number
  /** A shard was set aside. */
  readonly onQuarantined?: ((key: ShardKey) => void) | undefined
}

export class ScrubWorker {
  readonly #options: ScrubWorkerOptions
  readonly #pace: Pace
  readonly #suspects = new Map<string, ShardKey>()
  #stopped = false

  constructor(options: ScrubWorkerOptions) {
    this.#options = options
    this.#pace = new Pace(options.clock, options.bytesPerSecond)
  }

  /** A reader found a bad cell in this shard: it is looked at before all others. */
  suspect(key: ShardKey): void {
    if (this.#suspects.size < scrubLimits.suspectsMax) this.#suspects.set(shardName(key), key)
  }

  start(): void {
    void this.#run()
  }

  /** The pass ends before its next shard. */
  stop(): void {
    this.#stopped = true
  }

  /** One pass over the disk from the place remembered; returns how many shards were set aside. */
  async pass(): Promise<number> {
    const { store, progress, metrics, clock } = this.#options
    let corrupt = await this.#scrubSuspects()
    let after: string | undefined = await progress.load()
    let sinceSaved = 0
    while (after !== undefined && !this.#stopped) {
      const page: Awaited<ReturnType<ShardStore['list']>> = await store.list(after, scrubLimits.pageShards)
      const shards = page.shards.map(({ header, sealedMs }) => ({ key: header as ShardKey, sealedMs }))
      const unreadable = page.unreadable.map((key) => ({ key, sealedMs: undefined }))
      for (const { key, sealedMs } of [...unreadable, ...shards]) {
        if (this.#stopped) return corrupt
        corrupt += await this.#scrubSuspects()
        corrupt += Number(await this.#scrub(key, sealedMs))
        if (++sinceSaved % scrubLimits.progressShards === 0 && sealedMs !== undefined)
          await progress.save(shardName(key))
      }
      after = page.next
    }
    if (!this.#stopped) {
      await progress.save('')
      metrics.set('bundescloud_shards_scrub_last_end_seconds', clock.wallMs() / 1_000)
    }
    return corrupt
  }

  async #run(): Promise<void> {
    const { clock, passMs } = this.#options
    while (!this.#stopped) {
      const begunMs = clock.monotonicMs()
      // A disk that cannot be listed shows in every request too; scrub tries again later.
      const ended = await this.pass().then(
        () => true,
        () => false,
      )
      const restMs = ended
        ? Math.max(scrubLimits.idleMs, begunMs + passMs - clock.monotonicMs())
        : scrubLimits.idleMs
      await this.#rest(restMs)
    }
  }

  /** Rests, but not while there are suspects. */
  async #rest(ms: number): Promise<void> {
    const untilMs = this.#options.clock.monotonicMs() + ms
    while (!this.#stopped && this.#options.clock.monotonicMs() < untilMs) {
      if (this.#suspects.size > 0) await this.#scrubSuspects()
      await pause(this.#options.clock, Math.min(1_000, untilMs - this.#options.clock.monotonicMs()))
    }
  }

  async #scrubSuspects(): Promise<number> {
    let corrupt = 0
    for (const [name, key] of [...this.#suspects]) {
      this.#suspects.delete(name)
      const sealedMs = await this.#options.store.find(key).then(
        (shard) => shard.sealedMs,
        () => undefined, // its ends are unreadable, or it is gone; `verify` tells which
      )
      corrupt += Number(await this.#scrub(key, sealedMs))
    }
    return corrupt
  }

  /** True: it was corrupt and is set aside. */
  async #scrub(key: ShardKey, sealedMs: number | undefined): Promise<boolean> {
    const { store, metrics, onQuarantined } = this.#options
    try {
      const shard = await store.verify(key, (bytes) => this.#pace.take(bytes))
      metrics.add('bundescloud_shards_scrubbed_bytes_total', shard.fileBytes)
      return false
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.code !== 'ShardCorrupt') return false
    }
    if (!(await store.quarantine(key, sealedMs))) return false
    metrics.add('bundescloud_shards_corrupt_total', 1, 'scrub')
    onQuarantined?.(key)
    return true
  }
}
