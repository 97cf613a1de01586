/**
 * Rebuilding a shard on this node: the handler of `rebuild-shard`.
 *
 * Reads the cells of `dataShards` other shards window by window, computes the wanted cells and writes them to the local
 * store; or copies them, when somebody still has the shard itself. A source that fails is replaced by another.
 *
 * Invariant: what is sealed was computed from cells of one generation whose checksums were verified here. Memory is
 * two windows of `dataShards` runs. Leaves who is asked to rebuild what to repair-worker.ts.
 */
import { CodecError, type CodeName, codecFor, type StripePool } from '../../wasm/codec.ts'
import { cellBytesAt, framedBytes, framedOffset, type Geometry, geometryOf } from '../core/geometry.ts'
import { ClusterError } from '../errors.ts'
import type { Caller, Handler, Requests, ShardHeader } from '../protocol/messages.ts'
import { checkHeader, trailerBytes, writeTrailer } from '../protocol/shard-record.ts'
import type { ShardStore } from '../protocol/shard-store.ts'
import { RebuildSources } from './rebuild-sources.ts'

export const rebuildLimits = {
  /** Rebuilds under way on this node; more are refused, the planner comes again. */
  rebuildsMax: 8,
  /** Bytes of one run of cells from one source. */
  windowBytes: 1024 * 1024,
  /** Largest blob: S3's largest part (5 GiB) and room for the tags. */
  blobBytesMax: 6 * 1024 ** 3,
  /** Stripe memories kept, one per code and cell size: a federation has a handful of pools. */
  stripePoolsMax: 8,
} as const

export interface RebuilderOptions {
  /** This node's id: sources that name it are read from the store. */
  readonly nodeId: string
  readonly store: ShardStore
  readonly caller: Caller
}

interface FramedRun {
  readonly bytes: Buffer
  /** Gives the buffer back after the last look at it. */
  readonly release: () => void
}

interface Run {
  readonly firstCell: number
  readonly cellCount: number
}

export class Rebuilder {
  readonly #options: RebuilderOptions
  readonly #pools = new Map<string, StripePool>()
  #rebuilds = 0

  constructor(options: RebuilderOptions) {
    this.#options = options
  }

  /**
   * BadMessage, Overloaded, NoSpace, GenerationMismatch (a newer generation is here), ReadQuorumUnavailable
   * (details.shards: how many could be read).
   */
  readonly handler: Handler<'rebuild-shard'> = async (request, { signal }) => {
    checkHeader(request.header)
    const geometry = geometryFor(request)
    if (this.#rebuilds >= rebuildLimits.rebuildsMax)
      throw new ClusterError('Overloaded', 'too many rebuilds are under way')
    this.#rebuilds++
    try {
      return { reply: { bytesRead: await this.#rebuild(request, geometry, signal) } }
    } finally {
      this.#rebuilds--
    }
  }

  async #rebuild(
    request: Requests['rebuild-shard'],
    geometry: Geometry,
    signal: AbortSignal,
  ): Promise<number> {
    const { header } = request
    const { nodeId, store, caller } = this.#options
    const holders = request.sources
    const sources = new RebuildSources({ header, holders, geometry, nodeId, store, caller, signal })
    const cellsPerWindow = Math.max(1, Math.floor(rebuildLimits.windowBytes / geometry.cellBytes))
    const windowAt = (firstCell: number) => ({
      firstCell,
      cellCount: Math.min(cellsPerWindow, geometry.stripeCount - firstCell),
    })
    const frames = (run: Run) => this.#frames(request.header, geometry, { sources, run })
    try {
      let next = frames(windowAt(0))
      for (let firstCell = 0; firstCell < geometry.stripeCount; firstCell += cellsPerWindow) {
        const run = windowAt(firstCell)
        const got = await next
        const following = windowAt(firstCell + cellsPerWindow)
        // The next window is on its way while this one is written.
        if (following.cellCount > 0) {
          next = frames(following)
          next.catch(() => undefined) // awaited in the next round, unless writing fails first
        }
        if (signal.aborted) throw new ClusterError('Timeout', 'whoever asked for the rebuild has gone')
        await store.append(header, run.firstCell, run.cellCount, got.bytes)
        got.release()
      }
      await store.seal(header)
      return sources.bytesRead
    } catch (error) {
      await store.abort(header)
      throw error
    }
  }

  /** The wanted shard's framed cells of a run: copied or computed. ReadQuorumUnavailable. */
  async #frames(
    header: ShardHeader,
    geometry: Geometry,
    from: { sources: RebuildSources; run: Run },
  ): Promise<FramedRun> {
    const { sources, run } = from
    try {
      const got = await sources.read(run)
      if (got.copy !== undefined) return { bytes: got.copy, release: got.release }
      const bytes = await this.#compute(header, geometry, { run, shards: got.shards })
      got.release()
      return { bytes, release: () => undefined }
    } catch (error) {
      const short = error instanceof ClusterError && error.code === 'ReadQuorumUnavailable'
      if (!short || run.cellCount === 1) throw error
      // Bad cells in different places: stripe by stripe there may still be enough.
      const cells: Buffer[] = []
      for (let i = 0; i < run.cellCount; i++) {
        const one = { firstCell: run.firstCell + i, cellCount: 1 }
        cells.push((await this.#frames(header, geometry, { sources, run: one })).bytes)
      }
      return { bytes: Buffer.concat(cells), release: () => undefined }
    }
  }

  /** The wanted shard's framed cells of a run, from the framed cells of others. */
  async #compute(
    header: ShardHeader,
    geometry: Geometry,
    from: { run: Run; shards: ReadonlyMap<number, Buffer> },
  ): Promise<Buffer> {
    const { run, shards } = from
    const { shardIndex } = header
    const frames = Buffer.allocUnsafeSlow(framedBytes(geometry, run))
    const start = framedOffset(geometry, run.firstCell)
    const stripe = await this.#stripes(header).acquire()
    try {
      const present = stripe.cells.map((_, index) => shards.has(index))
      for (let cell = run.firstCell; cell < run.firstCell + run.cellCount; cell++) {
        const bytes = cellBytesAt(geometry, cell)
        const offset = framedOffset(geometry, cell) - start
        for (const [index, source] of shards) {
          const target = stripe.cells[index]
          if (target !== undefined) source.copy(target, 0, offset, offset + bytes)
        }
        stripe.reconstruct(bytes, { present, wanted: [shardIndex] })
        const frame = frames.subarray(offset, offset + bytes + trailerBytes)
        stripe.cells[shardIndex]?.copy(frame, 0, 0, bytes)
        writeTrailer(frame, cell)
      }
    } finally {
      stripe.release()
    }
    return frames
  }

  #stripes(header: ShardHeader): StripePool {
    const { code, dataShards, parityShards, cellBytes } = header
    const name = `${code} ${dataShards}+${parityShards} ${cellBytes}`
    const known = this.#pools.get(name)
    if (known !== undefined) return known
    if (this.#pools.size >= rebuildLimits.stripePoolsMax) this.#pools.clear()
    const codec = codecFor({ code: code as CodeName, dataShards, parityShards })
    const stripesMax = rebuildLimits.rebuildsMax
    const pool = codec.createStripePool({ cellBytesMax: cellBytes, trailerBytes, stripesMax })
    this.#pools.set(name, pool)
    return pool
  }
}

/** BadMessage when header and size are no geometry of a code that this node knows. */
function geometryFor({ header, bytes, sources }: Requests['rebuild-shard']): Geometry {
  const { code, dataShards, parityShards, cellBytes } = header
  const sound = Number.isSafeInteger(bytes) && bytes > 0 && bytes <= rebuildLimits.blobBytesMax
  if (!sound || !Array.isArray(sources) || sources.length !== dataShards + parityShards)
    throw new ClusterError('BadMessage', 'rebuild-shard: bytes or sources')
  try {
    const { blockBytes } = codecFor({ code: code as CodeName, dataShards, parityShards })
    if (cellBytes % blockBytes !== 0) throw new ClusterError('BadMessage', 'rebuild-shard: cellBytes')
    return geometryOf({ bytes, dataShards, parityShards, cellBytes, blockBytes })
  } catch (error) {
    if (error instanceof ClusterError || !(error instanceof CodecError)) throw error
    throw new ClusterError('BadMessage', 'rebuild-shard: no such code', { cause: error })
  }
}
