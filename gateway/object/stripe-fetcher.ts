/**
 * The stripe fetcher: data cells of a run of stripes of one blob, from whichever k holders give them first.
 *
 * Asks the holders of the data shards; a shard whose holder is down, fails, says ShardCorrupt or is slow (hedge) is
 * replaced by any other, and the missing data cells are computed. What failed once is not asked again during this
 * read. Throws ReadQuorumUnavailable when fewer than k shards can be had.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import { cellBytesAt, framedBytes, framedOffset, type Geometry } from '../../node/core/geometry.ts'
import { ClusterError } from '../../node/errors.ts'
import type { Codecs } from './codecs.ts'

export const fetchLimits = {
  /** A holder that has not answered by then is hedged: another shard is asked as well. Far above a healthy answer. */
  hedgeAfterMs: 400,
  /** A holder that has not answered by then has failed. */
  answerTimeoutMs: 10_000,
} as const

/** Consecutive stripes, all of whose needed shards are read over the same run of cells. */
export interface StripeRun {
  readonly firstStripe: number
  readonly stripeCount: number
  /** Data shards whose cells are needed; ascending. */
  readonly shards: readonly number[]
}

export interface FetchedRun {
  /** `cells[stripe - firstStripe][shard]`, trailers cut off; only the needed shards are defined. */
  readonly cells: readonly (readonly (Buffer | undefined)[])[]
  /** Gives the memory of the cells back; after the last look at them, at most once. */
  readonly release: () => void
}

/** What one holder sent: framed cells, and how to give their memory back. */
interface Frame {
  readonly bytes: Buffer
  readonly release: (() => void) | undefined
}

export class StripeFetcher {
  readonly #cluster: ClusterClient
  readonly #codecs: Codecs
  readonly #blob: ShardedBlob
  readonly geometry: Geometry
  readonly #signal: AbortSignal | undefined
  readonly #avoid = new Set<number>()
  /** Called when a shard could not be used though its holder is up: degraded reads are counted. */
  readonly #onDegraded: () => void

  constructor(parts: {
    cluster: ClusterClient
    codecs: Codecs
    blob: ShardedBlob
    geometry: Geometry
    signal: AbortSignal | undefined
    onDegraded: () => void
  }) {
    this.#cluster = parts.cluster
    this.#codecs = parts.codecs
    this.#blob = parts.blob
    this.geometry = parts.geometry
    this.#signal = parts.signal
    this.#onDegraded = parts.onDegraded
  }

  /** `without`: shards not to be trusted for this run (their bytes failed authentication). */
  async fetch(run: StripeRun, without: readonly number[] = []): Promise<FetchedRun> {
    const usable = (shard: number) =>
      !without.includes(shard) &&
      !this.#avoid.has(shard) &&
      this.#cluster.isUp(this.#blob.holders[shard] ?? '')
    const wanted = run.shards.filter(usable)
    const missing = run.shards.length - wanted.length
    const frames = await this.#collect(run, { wanted, spares: this.#spares(run, without), missing })
    const release = () => {
      for (const frame of frames.values()) frame.release?.()
    }
    return { cells: await this.#cells(run, frames), release }
  }

  /** Shards to fall back on: those thought usable first, then the rest: our view of a peer may be out of date. */
  #spares(run: StripeRun, without: readonly number[]): number[] {
    const others = this.#blob.holders.map((_, shard) => shard).filter((shard) => !without.includes(shard))
    const rank = (shard: number) => {
      const up = this.#cluster.isUp(this.#blob.holders[shard] ?? '')
      return (this.#avoid.has(shard) ? 4 : 0) + (up ? 0 : 2) + (run.shards.includes(shard) ? 0 : 1)
    }
    return others.sort((a, b) => rank(a) - rank(b) || a - b)
  }

  /**
   * Reads until all of `run.shards` or any k shards are here. Starts with the wanted ones, plus enough spares for
   * those already known to be missing; every failure or hedge starts another spare.
   */
  #collect(
    run: StripeRun,
    plan: { wanted: readonly number[]; spares: number[]; missing: number },
  ): Promise<Map<number, Frame>> {
    const { dataShards } = this.#blob
    return new Promise((resolve, reject) => {
      const frames = new Map<number, Frame>()
      const started = new Set<number>()
      let underWay = 0
      let settled = false
      let lastError: unknown
      const abort = new AbortController()
      const hedge = this.#cluster.clock.after(fetchLimits.hedgeAfterMs, () => {
        if (settled) return
        this.#onDegraded()
        const late = [...started].filter((shard) => !frames.has(shard))
        // Decoding needs k whole shards: those that answered, the late ones perhaps, and as many others as are late.
        for (let count = Math.max(late.length, dataShards - frames.size); count > 0; count--) startSpare()
      })
      const finish = (settle: () => void) => {
        if (settled) return
        settled = true
        hedge()
        this.#signal?.removeEventListener('abort', onAbort)
        abort.abort()
        settle()
      }
      const onAbort = () => finish(() => reject(aborted()))
      const start = (shard: number) => {
        started.add(shard)
        underWay++
        this.#read(run, shard, abort.signal).then(
          (frame) => {
            underWay--
            if (settled) return frame.release?.()
            frames.set(shard, frame)
            const direct = run.shards.every((needed) => frames.has(needed))
            if (direct || frames.size >= dataShards) finish(() => resolve(frames))
          },
          (error: unknown) => {
            underWay--
            if (settled) return
            lastError = error
            this.#avoid.add(shard)
            this.#onDegraded()
            topUp()
          },
        )
      }
      const startSpare = () => {
        const next = plan.spares.find((shard) => !started.has(shard))
        if (next !== undefined) start(next)
        return next !== undefined
      }
      const topUp = () => {
        while (frames.size + underWay < dataShards && startSpare());
        if (frames.size + underWay < dataShards) {
          const details = { blobId: this.#blob.blobId, shards: frames.size }
          const message = `${frames.size + underWay} of ${dataShards} shards can be read`
          finish(() =>
            reject(new ClusterError('ReadQuorumUnavailable', message, { cause: lastError, details })),
          )
        }
      }
      if (this.#signal?.aborted) return onAbort()
      this.#signal?.addEventListener('abort', onAbort, { once: true })
      for (const shard of plan.wanted) start(shard)
      if (plan.missing > 0) topUp()
    })
  }

  async #read(run: StripeRun, shard: number, signal: AbortSignal): Promise<Frame> {
    const { blobId, generation, holders } = this.#blob
    const cells = { firstCell: run.firstStripe, cellCount: run.stripeCount }
    const { body, release } = await this.#cluster.caller.call(
      holders[shard] ?? '',
      'read-shard',
      { blobId, shardIndex: shard, generation, ...cells },
      { timeoutMs: fetchLimits.answerTimeoutMs, signal },
    )
    const expected = framedBytes(this.geometry, cells)
    if (body?.length !== expected) {
      throw new ClusterError(
        'ShardCorrupt',
        `a holder sent ${body?.length ?? 0} bytes instead of ${expected}`,
      )
    }
    return { bytes: body, release }
  }

  /** Cuts the frames into cells; computes data cells that are needed and did not come. */
  async #cells(run: StripeRun, frames: ReadonlyMap<number, Frame>): Promise<FetchedRun['cells']> {
    const stripes: (Buffer | undefined)[][] = []
    const start = framedOffset(this.geometry, run.firstStripe)
    const lacking = run.shards.filter((shard) => !frames.has(shard))
    for (let stripe = run.firstStripe; stripe < run.firstStripe + run.stripeCount; stripe++) {
      const cellBytes = cellBytesAt(this.geometry, stripe)
      const offset = framedOffset(this.geometry, stripe) - start
      const cells: (Buffer | undefined)[] = []
      for (const [shard, { bytes }] of frames) cells[shard] = bytes.subarray(offset, offset + cellBytes)
      if (lacking.length > 0) await this.#reconstruct(cells, lacking, cellBytes)
      stripes.push(cells)
    }
    return stripes
  }

  async #reconstruct(
    cells: (Buffer | undefined)[],
    lacking: readonly number[],
    cellBytes: number,
  ): Promise<void> {
    const stripe = await this.#codecs.stripes(this.#blob).acquire()
    try {
      const present = stripe.cells.map((target, shard) => {
        const cell = cells[shard]
        if (cell !== undefined) cell.copy(target, 0, 0, cellBytes)
        return cell !== undefined
      })
      stripe.reconstruct(cellBytes, { present, wanted: lacking })
      for (const shard of lacking) {
        const computed = stripe.cells[shard]
        if (computed !== undefined) cells[shard] = Buffer.from(computed.subarray(0, cellBytes))
      }
    } finally {
      stripe.release()
    }
  }
}

function aborted(): ClusterError {
  return new ClusterError('Timeout', 'the reader has gone')
}
