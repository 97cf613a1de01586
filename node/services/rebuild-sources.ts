/**
 * Where a rebuild gets its cells: runs of `dataShards` shards, or of a copy of the wanted one.
 *
 * Invariant: a run is given only when every checksum in it was verified here. A source with a bad cell is left out
 * for that run; one that fails otherwise is left out for good. No source is asked twice for the same run.
 */
import { framedBytes, type Geometry } from '../core/geometry.ts'
import { ClusterError } from '../errors.ts'
import type { Caller, ShardHeader } from '../protocol/messages.ts'
import { verifyFrames } from '../protocol/shard-record.ts'
import type { ShardStore } from '../protocol/shard-store.ts'

export const rebuildSourceLimits = {
  /** A holder that has not sent a window by then is replaced by another. */
  readTimeoutMs: 15_000,
} as const

export interface RebuildSourcesOptions {
  readonly header: ShardHeader
  /** Holder of shard i; the entry of the wanted shard names a copy of it. */
  readonly holders: readonly (string | undefined)[]
  readonly geometry: Geometry
  readonly nodeId: string
  readonly store: ShardStore
  readonly caller: Caller
  /** Aborted when whoever asked for the rebuild has gone. */
  readonly signal: AbortSignal
}

interface Run {
  readonly firstCell: number
  readonly cellCount: number
}

/** Framed cells of a run: of the wanted shard itself, or of `dataShards` others by index. */
export interface SourceRun {
  readonly copy: Buffer | undefined
  readonly shards: ReadonlyMap<number, Buffer>
  /** Gives all buffers back; nobody may look at them afterwards. */
  readonly release: () => void
}

interface SourceFrames {
  readonly frames: Buffer
  readonly release: (() => void) | undefined
}

export class RebuildSources {
  readonly #options: RebuildSourcesOptions
  readonly #failed = new Set<number>()
  bytesRead = 0

  constructor(options: RebuildSourcesOptions) {
    this.#options = options
  }

  /** Throws ReadQuorumUnavailable (details.shards). */
  async read(run: Run): Promise<SourceRun> {
    const { header } = this.#options
    const copy = this.#usable(header.shardIndex) ? await this.#tryRead(header.shardIndex, run) : undefined
    if (copy !== undefined) return { copy: copy.frames, shards: new Map(), release: () => copy.release?.() }
    const others = await this.#readOthers(run)
    const shards = new Map([...others].map(([index, { frames }]) => [index, frames]))
    const release = (): void => {
      for (const other of others.values()) other.release?.()
    }
    return { copy: undefined, shards, release }
  }

  async #readOthers(run: Run): Promise<Map<number, SourceFrames>> {
    const { header, holders } = this.#options
    const { dataShards, shardIndex, blobId } = header
    const waiting = holders.map((_, index) => index).filter((i) => i !== shardIndex && this.#usable(i))
    const shards = new Map<number, SourceFrames>()
    const readNext = async (): Promise<void> => {
      // As many readers as cells are needed; each goes on to another source when its own fails.
      for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
        const frames = await this.#tryRead(index, run)
        if (frames === undefined) continue
        shards.set(index, frames)
        return
      }
    }
    await Promise.all(Array.from({ length: dataShards }, readNext))
    if (shards.size < dataShards)
      throw new ClusterError('ReadQuorumUnavailable', `${shards.size} of ${dataShards} shards can be read`, {
        details: { blobId, shards: shards.size },
      })
    return shards
  }

  #usable(index: number): boolean {
    return this.#options.holders[index] !== undefined && !this.#failed.has(index)
  }

  /** Undefined: this source cannot be used for this run. */
  async #tryRead(index: number, run: Run): Promise<SourceFrames | undefined> {
    try {
      const fetched = await this.#fetch(index, run)
      this.bytesRead += fetched.frames.length
      return fetched
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      // Its other cells may be good, and may be needed.
      const badCell = error.code === 'ShardCorrupt' && error.details.cell !== undefined
      if (!badCell) this.#failed.add(index)
      return undefined
    }
  }

  async #fetch(shardIndex: number, run: Run): Promise<SourceFrames> {
    const { header, holders, nodeId, store, caller, signal } = this.#options
    const { blobId, generation, cellBytes } = header
    const holder = holders[shardIndex] ?? ''
    if (holder === nodeId) {
      const read = await store.read({ blobId, shardIndex, generation }, run.firstCell, run.cellCount)
      return { frames: this.#expect(run, read.frames), release: read.release }
    }
    const request = { blobId, shardIndex, generation, ...run }
    const timeoutMs = rebuildSourceLimits.readTimeoutMs
    const { body, release } = await caller.call(holder, 'read-shard', request, { timeoutMs, signal })
    const frames = this.#expect(run, body)
    verifyFrames(frames, { ...run, cellBytes })
    return { frames, release }
  }

  #expect(run: Run, frames: Buffer | undefined): Buffer {
    const expected = framedBytes(this.#options.geometry, run)
    if (frames?.length !== expected)
      throw new ClusterError(
        'ShardCorrupt',
        `a holder has ${frames?.length ?? 0} bytes instead of ${expected}`,
      )
    return frames
  }
}
