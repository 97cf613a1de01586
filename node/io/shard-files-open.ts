/**
 * Shards that are being written: temporary files, bounded in number and in idle time.
 *
 * Invariant: a file in `tmp/` belongs to one entry here; what goes wrong while writing removes both. The caller holds
 * the shard's lock and has verified the frames. Leaves fsync and publishing to shard-files.ts.
 */
import { createHash, type Hash } from 'node:crypto'
import { join } from 'node:path'
import { ClusterError } from '../errors.ts'
import type { ShardHeader } from '../protocol/messages.ts'
import {
  cellOffset,
  encodeFooter,
  encodeHeader,
  footerBytes,
  headerBytes,
  shardFileBytes,
} from '../protocol/shard-record.ts'
import type { SealedShard } from '../protocol/shard-store.ts'
import type { Clock } from '../world.ts'
import { type Disk, type DiskFile, errnoOf } from './shard-files-disk.ts'
import type { DiskSpace } from './shard-files-space.ts'

interface OpenShard {
  readonly header: ShardHeader
  readonly replaces: SealedShard | undefined
  readonly path: string
  readonly file: DiskFile
  /** SHA-256 of header and trailers so far. */
  readonly digest: Hash
  cells: number
  /** Of the last cell appended; when it is shorter than the header's `cellBytes`, no more may follow. */
  lastCellBytes: number
  touchedMs: number
}

/** Cells that have been verified. */
export interface VerifiedRun {
  readonly firstCell: number
  readonly cellCount: number
  readonly frames: Buffer
  readonly trailers: Buffer
  readonly lastCellBytes: number
}

/** A shard with its footer written, not yet synced, still under its temporary name. */
export interface FinishedShard {
  readonly path: string
  readonly file: DiskFile
  readonly shard: SealedShard
  readonly digest: Uint8Array
}

export interface OpenShardsOptions {
  readonly directory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly space: DiskSpace
  readonly openShardsMax: number
  readonly idleMsMax: number
}

export class OpenShards {
  readonly #options: OpenShardsOptions
  readonly #open = new Map<string, OpenShard>()
  #beginning = 0
  #temporaries = 0

  constructor(options: OpenShardsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#open.size
  }

  names(): string[] {
    return [...this.#open.keys()]
  }

  /** Names of shards that nobody has appended to for the idle time. */
  idle(): string[] {
    const sinceMs = this.#options.clock.monotonicMs() - this.#options.idleMsMax
    return [...this.#open].flatMap(([name, open]) => (open.touchedMs <= sinceMs ? [name] : []))
  }

  /**
   * Opens the shard, in place of an open one of the same or an older generation. GenerationMismatch, Overloaded, NoSpace.
   * `replaces`: the sealed shard of this name. It stays the one to be replaced: only by this entry can another be sealed.
   */
  async begin(name: string, header: ShardHeader, replaces: SealedShard | undefined): Promise<void> {
    const before = this.#open.get(name)
    if (before !== undefined && before.header.generation > header.generation)
      throw generationMismatch(before.header, header)
    await this.discard(name)
    if (this.#open.size + this.#beginning >= this.#options.openShardsMax)
      throw new ClusterError('Overloaded', 'too many shards are being written')
    this.#beginning++
    try {
      await this.#options.space.take(headerBytes)
      const path = join(this.#options.directory, `${name}.${this.#temporaries++}`)
      const file = await this.#options.disk.create(path)
      const touchedMs = this.#options.clock.monotonicMs()
      const digest = createHash('sha256')
      this.#open.set(name, {
        header,
        replaces,
        path,
        file,
        digest,
        cells: 0,
        lastCellBytes: header.cellBytes,
        touchedMs,
      })
    } catch (error) {
      throw this.#writeError(error)
    } finally {
      this.#beginning--
    }
  }

  /** ShardNotFound, GenerationMismatch, BadMessage (details.nextCell), NoSpace. */
  async append(name: string, header: ShardHeader, run: VerifiedRun): Promise<void> {
    const open = this.#expect(name, header)
    if (open.cells !== run.firstCell || open.lastCellBytes < header.cellBytes)
      throw new ClusterError('BadMessage', 'not the next cell of the shard', {
        details: { nextCell: open.cells },
      })
    // One write with the header: most shards of small objects are a single run.
    const head = run.firstCell === 0 ? [encodeHeader(header)] : []
    const position = run.firstCell === 0 ? 0 : cellOffset(header.cellBytes, run.firstCell)
    await this.#orDiscard(name, async () => {
      await this.#options.space.take(run.frames.length)
      await open.file.write([...head, run.frames], position)
    })
    for (const bytes of head) open.digest.update(bytes)
    open.digest.update(run.trailers)
    open.cells += run.cellCount
    open.lastCellBytes = run.lastCellBytes
    open.touchedMs = this.#options.clock.monotonicMs()
  }

  /** Writes the footer. ShardNotFound, GenerationMismatch, NoSpace. */
  async finish(
    name: string,
    header: ShardHeader,
    sealedMsAfter: (replaced: SealedShard | undefined) => number,
  ): Promise<FinishedShard> {
    const open = this.#expect(name, header)
    const sealedMs = sealedMsAfter(open.replaces)
    const { cells, lastCellBytes, path, file } = open
    const fileBytes = shardFileBytes(header.cellBytes, open)
    const digest = open.digest.digest()
    const footer = encodeFooter({ cells, lastCellBytes, sealedMs, digest }, header.cellBytes)
    await this.#orDiscard(name, () => file.write([footer], fileBytes - footerBytes))
    return { path, file, digest, shard: { header, cells, lastCellBytes, fileBytes, sealedMs } }
  }

  /** Gives the finished shard its name; it is no longer open. */
  async moveOut(name: string, from: string, to: string): Promise<void> {
    await this.#orDiscard(name, () => this.#options.disk.rename(from, to))
    this.#open.delete(name)
  }

  async discard(name: string): Promise<void> {
    const open = this.#open.get(name)
    if (open === undefined) return
    this.#open.delete(name)
    await open.file.close()
    await this.#options.disk.unlink(open.path)
  }

  #expect(name: string, header: ShardHeader): OpenShard {
    const open = this.#open.get(name)
    if (open === undefined) throw new ClusterError('ShardNotFound', `shard ${name} is not being written here`)
    if (!sameHeader(open.header, header)) throw generationMismatch(open.header, header)
    return open
  }

  async #orDiscard(name: string, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      await this.discard(name)
      throw this.#writeError(error)
    }
  }

  #writeError(error: unknown): ClusterError {
    if (error instanceof ClusterError) return error
    const errno = errnoOf(error)
    if (errno === 'ENOSPC' || errno === 'EDQUOT') {
      this.#options.space.exhausted()
      return new ClusterError('NoSpace', 'disk is full', { cause: error })
    }
    return new ClusterError('Internal', 'cannot write a shard file', { cause: error })
  }
}

export function sameHeader(a: ShardHeader, b: ShardHeader): boolean {
  return (
    a.blobId === b.blobId &&
    a.shardIndex === b.shardIndex &&
    a.generation === b.generation &&
    a.groupId === b.groupId &&
    a.code === b.code &&
    a.dataShards === b.dataShards &&
    a.parityShards === b.parityShards &&
    a.cellBytes === b.cellBytes
  )
}

export function generationMismatch(have: ShardHeader, got: ShardHeader): ClusterError {
  return new ClusterError('GenerationMismatch', 'another generation of the shard is here', {
    details: { have: have.generation, got: got.generation },
  })
}
