/**
 * The shard service: what peers may ask of the shards on this node.
 *
 * Invariant: `sealed: true` is answered only when the shard is durable, and bytes leave only after their checksum was
 * verified (both by the store). Bounds what requests may hold in memory. Leaves admission and roles to the funnel in
 * front of it, rebuilding to rebuild.ts, and what is garbage to gc-worker.ts.
 */
import { ClusterError } from '../errors.ts'
import type { Handlers, Requests } from '../protocol/messages.ts'
import { checkHeader } from '../protocol/shard-record.ts'
import { parseShardName, type ShardKey, type ShardStore, shardName } from '../protocol/shard-store.ts'
import type { Clock } from '../world.ts'
import type { ShardMetrics } from './shard-metrics.ts'

export const shardServiceLimits = {
  /** Bodies of write-shard waiting for the disk, together: what a slow disk may cost in memory. */
  writeBytesMax: 256 * 1024 * 1024,
  /** Reads under way; each allocates one run. */
  readsMax: 128,
  /** Keys in one delete-shards. */
  deleteMax: 1_000,
  /** Removed side by side, each with its directory fsync. */
  deleteParallelMax: 8,
  /** Rows in one listing; a header and a few counters each. */
  listMax: 1_000,
  /** How often idle open shards are looked for and gauges refreshed. */
  sweepMs: 15_000,
} as const

export interface ShardServiceOptions {
  readonly store: ShardStore
  readonly clock: Clock
  readonly metrics: ShardMetrics
  /** A cell of this shard failed its checksum; scrub looks at it next. */
  readonly onCorrupt?: (key: ShardKey) => void
}

export type ShardHandlers = Required<
  Pick<Handlers, 'write-shard' | 'read-shard' | 'delete-shards' | 'abort-shard' | 'list-shards'>
>

export class ShardService {
  readonly #options: ShardServiceOptions
  #writeBytes = 0
  #reads = 0
  #cancelSweep: (() => void) | undefined

  constructor(options: ShardServiceOptions) {
    this.#options = options
  }

  /** Starts the sweep of idle open shards. */
  start(): void {
    this.#cancelSweep = this.#options.clock.after(shardServiceLimits.sweepMs, () => {
      this.sweep()
        // The sweep is retried at the next tick; the disk's failures show in requests and metrics.
        .catch(() => undefined)
        .finally(() => {
          if (this.#cancelSweep !== undefined) this.start()
        })
    })
  }

  stop(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
  }

  /** Aborts idle open shards and refreshes the gauges. */
  async sweep(): Promise<void> {
    const { store, metrics } = this.#options
    metrics.add('bundescloud_shards_aborted_total', await store.abortIdle(), 'idle')
    const usage = await store.usage()
    metrics.set('bundescloud_shards_open', usage.openShards)
    metrics.set('bundescloud_shards_free_bytes', usage.freeBytes)
  }

  readonly handlers: ShardHandlers = {
    'write-shard': async (request, { body, release }) => {
      const bytes = body?.length ?? 0
      if (this.#writeBytes + bytes > shardServiceLimits.writeBytesMax) throw this.#refuse('bytes')
      this.#writeBytes += bytes
      try {
        return { reply: await this.#write(request, body) }
      } catch (error) {
        if (error instanceof ClusterError && error.code === 'NoSpace') this.#refused('space')
        if (error instanceof ClusterError && error.code === 'Overloaded') this.#refused('open')
        throw error
      } finally {
        this.#writeBytes -= bytes
        release?.()
      }
    },

    'read-shard': async (request) => {
      const { store, metrics } = this.#options
      const key = checkKey(request)
      if (this.#reads >= shardServiceLimits.readsMax) throw this.#refuse('reads')
      this.#reads++
      try {
        const read = await store.read(
          { ...key, generation: request.generation },
          request.firstCell,
          request.cellCount,
        )
        metrics.add('bundescloud_shards_read_bytes_total', read.frames.length)
        return { reply: { cellCount: read.cellCount }, body: [read.frames], sent: read.release }
      } catch (error) {
        if (error instanceof ClusterError && error.code === 'ShardCorrupt') {
          metrics.add('bundescloud_shards_corrupt_total', 1, 'read')
          this.#options.onCorrupt?.(key)
        }
        throw error
      } finally {
        this.#reads--
      }
    },

    'delete-shards': async ({ shards }) => {
      const { deleteMax, deleteParallelMax } = shardServiceLimits
      if (!Array.isArray(shards) || shards.length > deleteMax) throw badMessage('too many shards')
      const keys = (shards as Requests['delete-shards']['shards']).map((shard) => {
        return { key: checkKey(shard), sealedMs: shard.sealedMs }
      })
      let deleted = 0
      for (let i = 0; i < keys.length; i += deleteParallelMax) {
        const some = keys.slice(i, i + deleteParallelMax)
        const done = await Promise.all(some.map((one) => this.#options.store.remove(one.key, one.sealedMs)))
        deleted += done.filter((removed) => removed).length
      }
      this.#options.metrics.add('bundescloud_shards_deleted_total', deleted, 'request')
      return { reply: { deleted } }
    },

    'abort-shard': async (request) => {
      await this.#options.store.abort(checkKey(request))
      this.#options.metrics.add('bundescloud_shards_aborted_total', 1, 'request')
      return { reply: {} }
    },

    'list-shards': async ({ after, limit, until, groupId }) => {
      const range = typeof after === 'string' && (until === undefined || typeof until === 'string')
      if (!range || !Number.isSafeInteger(limit) || limit < 1) throw badMessage('list-shards')
      const page = await this.#options.store.list(after, Math.min(limit, shardServiceLimits.listMax), until)
      const wanted = page.shards.filter(({ header }) => groupId === undefined || header.groupId === groupId)
      const shards = wanted.map(({ header, cells, fileBytes, sealedMs }) => {
        return { header, cells, fileBytes, sealedMs }
      })
      const { next } = page
      return { reply: { shards, truncated: next !== undefined, ...(next === undefined ? {} : { next }) } }
    },
  }

  async #write(request: Requests['write-shard'], body: Buffer | undefined): Promise<{ sealed: boolean }> {
    const { store, metrics } = this.#options
    const { header, firstCell, cellCount, seal } = request
    checkHeader(header)
    if ((cellCount === 0) !== (body === undefined || body.length === 0)) throw badMessage('cells and body')
    try {
      if (body !== undefined && cellCount > 0) {
        await store.append(header, firstCell, cellCount, body)
        metrics.add('bundescloud_shards_written_bytes_total', body.length)
      }
      if (!seal) return { sealed: false }
      await store.seal(header)
      metrics.add('bundescloud_shards_sealed_total', 1)
      return { sealed: true }
    } catch (error) {
      const notOpen = error instanceof ClusterError && error.code === 'ShardNotFound'
      if (notOpen && seal && (await this.#isSealedAlready(request, body))) return { sealed: true }
      throw error
    }
  }

  /** Whether this is the repetition of a request that sealed the shard, with the same bytes. */
  async #isSealedAlready(request: Requests['write-shard'], body: Buffer | undefined): Promise<boolean> {
    const { header, firstCell, cellCount } = request
    const { store } = this.#options
    try {
      const sealed = await store.find(header)
      const same = (Object.keys(sealed.header) as (keyof typeof sealed.header)[]).every(
        (field) => sealed.header[field] === header[field],
      )
      if (!same || sealed.cells !== firstCell + cellCount) return false
      if (cellCount === 0) return true
      const { frames } = await store.read(header, firstCell, cellCount)
      return body !== undefined && frames.equals(body)
    } catch (error) {
      if (error instanceof ClusterError) return false
      throw error
    }
  }

  #refuse(reason: 'bytes' | 'reads'): ClusterError {
    this.#refused(reason)
    return new ClusterError('Overloaded', `too many ${reason} in flight`)
  }

  #refused(reason: 'bytes' | 'reads' | 'space' | 'open'): void {
    this.#options.metrics.add('bundescloud_shards_refused_total', 1, reason)
  }
}

/** A key that is safe to make a file name of; BadMessage otherwise. */
function checkKey(key: ShardKey): ShardKey {
  if (typeof key !== 'object' || key === null) throw badMessage('shard key')
  const { blobId, shardIndex } = key
  if (!Number.isSafeInteger(shardIndex) || parseShardName(shardName({ blobId, shardIndex })) === undefined)
    throw badMessage('shard key')
  return { blobId, shardIndex }
}

function badMessage(what: string): ClusterError {
  return new ClusterError('BadMessage', `bad request: ${what}`)
}
