/**
 * The shards on one disk directory, as files.
 *
 *   <root>/tmp/<name>.<n>                shards being written; emptied at start
 *   <root>/shards/<2 hex>/<name>         sealed shards
 *   <root>/quarantine/<name>             corrupt ones, set aside: read, but never listed
 *
 * Invariant: a name under `shards/` is a whole shard, durable before its seal was acknowledged: cells are verified and
 * written to `tmp/`, then fdatasync, rename, fsync of the directory. A failed fsync calls `onFatal` and is never
 * retried: after it the page cache may lie (see "Can Applications Recover from fsync Failures?", Rebello et al. 2020).
 * Leaves policy (who may write, what is garbage, when to scrub) to services.
 */
import { join } from 'node:path'
import { ClusterError } from '../errors.ts'
import { BodyPool } from '../protocol/body-pool.ts'
import type { ShardHeader } from '../protocol/messages.ts'
import { checkHeader, verifyFrames } from '../protocol/shard-record.ts'
import {
  type CellRead,
  parseShardName,
  type QuarantinedShard,
  type SealedShard,
  type ShardKey,
  type ShardStore,
  type ShardUsage,
  shardName,
} from '../protocol/shard-store.ts'
import type { Clock } from '../world.ts'
import { type Disk, errnoOf } from './shard-files-disk.ts'
import { type FinishedShard, generationMismatch, OpenShards, sameHeader } from './shard-files-open.ts'
import { readCells, verifyCells } from './shard-files-read.ts'
import { realDisk } from './shard-files-real-disk.ts'
import { SealedFiles, withSealed } from './shard-files-sealed.ts'
import { DiskSpace } from './shard-files-space.ts'
import { DirectorySync, NamedLocks } from './shard-files-sync.ts'

export const shardFileLimits = {
  /** Each is a descriptor and a writer that waits; one object in flight opens about one shard per node. */
  openShardsMax: 1_024,
  /** A writer sends cells within seconds or is dead; longer than any message's time-out. */
  openIdleMsMax: 120_000,
  /** Descriptors kept for reading. */
  sealedFilesMax: 512,
  /** Shards whose header and footer are remembered for listings; some 300 bytes each. */
  describedMax: 65_536,
  /** Largest run of cells in one read: bounds the buffer that a request makes us allocate. */
  readBytesMax: 16 * 1024 * 1024,
  /** Rows of one listing; each opens a file unless it is cached. */
  listMax: 1_000,
  /** Files whose ends are read side by side for a listing. */
  listParallelMax: 8,
  /** Kept free for logs, rows and the operator's hands. */
  reserveBytes: 512 * 1024 * 1024,
  /** How old the known free space may be. */
  spaceFreshMs: 1_000,
} as const

export interface ShardFilesOptions {
  readonly root: string
  readonly clock: Clock
  /** An fsync failed: the process must stop. The store refuses everything from then on. */
  readonly onFatal: (error: Error) => void
  readonly disk?: Disk
  readonly limits?: Partial<{ readonly [K in keyof typeof shardFileLimits]: number }>
}

/** Opens the store, making its directories and removing what a dead process left in `tmp/`. */
export async function openShardFiles(options: ShardFilesOptions): Promise<ShardFiles> {
  const disk = options.disk ?? realDisk
  const { root } = options
  const fans = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
  for (const name of ['', 'tmp', 'quarantine', 'shards']) await disk.makeDirectory(join(root, name))
  for (const fan of fans) await disk.makeDirectory(join(root, 'shards', fan))
  for (const name of ['shards', '']) await disk.syncDirectory(join(root, name))
  for (const name of await disk.list(join(root, 'tmp'))) await disk.unlink(join(root, 'tmp', name))
  return new ShardFiles(options, await disk.list(join(root, 'quarantine')))
}

export class ShardFiles implements ShardStore {
  readonly #options: ShardFilesOptions
  readonly #limits: { readonly [K in keyof typeof shardFileLimits]: number }
  readonly #disk: Disk
  readonly #locks = new NamedLocks()
  readonly #directories: DirectorySync
  readonly #sealed: SealedFiles
  /** Runs of cells on their way to readers. */
  readonly #bodies = new BodyPool()
  readonly #space: DiskSpace
  readonly #open: OpenShards
  readonly #quarantined: Set<string>
  #lastSealedMs = 0
  #stopped: ClusterError | undefined

  constructor(options: ShardFilesOptions, quarantined: readonly string[]) {
    this.#options = options
    this.#limits = { ...shardFileLimits, ...options.limits }
    this.#disk = options.disk ?? realDisk
    this.#directories = new DirectorySync((path) => this.#disk.syncDirectory(path))
    this.#sealed = new SealedFiles(this.#disk, {
      filesMax: this.#limits.sealedFilesMax,
      describedMax: this.#limits.describedMax,
    })
    this.#space = new DiskSpace({
      freeBytes: () => this.#disk.freeBytes(options.root),
      nowMs: () => options.clock.monotonicMs(),
      reserveBytes: this.#limits.reserveBytes,
      freshMs: this.#limits.spaceFreshMs,
    })
    this.#open = new OpenShards({
      directory: join(options.root, 'tmp'),
      disk: this.#disk,
      clock: options.clock,
      space: this.#space,
      openShardsMax: this.#limits.openShardsMax,
      idleMsMax: this.#limits.openIdleMsMax,
    })
    this.#quarantined = new Set(quarantined.filter((name) => parseShardName(name) !== undefined))
  }

  async append(header: ShardHeader, firstCell: number, cellCount: number, frames: Buffer): Promise<void> {
    checkHeader(header)
    const verified = verifyFrames(frames, { firstCell, cellCount, cellBytes: header.cellBytes })
    const name = shardName(header)
    await this.#locked(name, async () => {
      if (firstCell === 0) await this.#open.begin(name, header, await this.#refuseOlder(name, header))
      await this.#open.append(name, header, { firstCell, cellCount, frames, ...verified })
    })
  }

  async seal(header: ShardHeader): Promise<SealedShard> {
    checkHeader(header)
    const name = shardName(header)
    return this.#locked(name, async () => {
      const finished = await this.#open.finish(name, header, (replaced) => this.#nextSealedMs(replaced))
      await this.#fatalIfFails(() => finished.file.sync())
      await this.#publish(name, finished)
      return finished.shard
    })
  }

  async abort(key: ShardKey): Promise<void> {
    const name = shardName(key)
    await this.#locked(name, () => this.#open.discard(name))
  }

  async abortIdle(): Promise<number> {
    let aborted = 0
    for (const name of this.#open.idle()) {
      await this.#locked(name, async () => {
        if (!this.#open.idle().includes(name)) return
        await this.#open.discard(name)
        aborted++
      })
    }
    return aborted
  }

  async find(key: ShardKey): Promise<SealedShard> {
    this.#refuseWhenStopped()
    return this.#sealed.describe(this.#path(shardName(key)))
  }

  async read(
    key: ShardKey & { readonly generation: number },
    firstCell: number,
    cellCount: number,
  ): Promise<CellRead> {
    this.#refuseWhenStopped()
    const name = shardName(key)
    const { generation } = key
    const run = { generation, firstCell, cellCount, bytesMax: this.#limits.readBytesMax }
    const readAt = (path: string) => this.#sealed.use(path, (sealed) => readCells(sealed, run, this.#bodies))
    try {
      return await readAt(this.#path(name))
    } catch (error) {
      const missing = error instanceof ClusterError && error.code === 'ShardNotFound'
      if (!missing || !this.#quarantined.has(name)) throw error
      return readAt(this.#quarantinePath(name))
    }
  }

  async remove(key: ShardKey, onlySealedMs?: number): Promise<boolean> {
    const name = shardName(key)
    return this.#locked(name, async () => {
      if (onlySealedMs !== undefined && (await this.#incarnation(name)) !== onlySealedMs) return false
      const path = this.#path(name)
      this.#sealed.drop(path)
      const removed = await this.#unlink(path)
      if (removed) await this.#fatalIfFails(() => this.#directories.sync(this.#directoryOf(name)))
      const aside = await this.#dropQuarantined(name)
      return removed || aside
    })
  }

  async quarantine(key: ShardKey, onlySealedMs?: number): Promise<boolean> {
    const name = shardName(key)
    return this.#locked(name, async () => {
      const path = this.#path(name)
      // Seen again on the disk, under the lock: it may have been replaced by a good one.
      this.#sealed.drop(path)
      const found = await this.#incarnation(name)
      if (found !== 'unreadable' && found !== onlySealedMs) return false
      await this.#dropQuarantined(name)
      await this.#disk.rename(path, this.#quarantinePath(name))
      this.#quarantined.add(name)
      const quarantine = join(this.#options.root, 'quarantine')
      await this.#fatalIfFails(() => this.#directories.sync(quarantine))
      await this.#fatalIfFails(() => this.#directories.sync(this.#directoryOf(name)))
      return true
    })
  }

  async dropQuarantined(key: ShardKey): Promise<void> {
    const name = shardName(key)
    await this.#locked(name, () => this.#dropQuarantined(name))
  }

  async quarantined(): Promise<readonly QuarantinedShard[]> {
    const keys = [...this.#quarantined].flatMap((name) => parseShardName(name) ?? [])
    return Promise.all(
      keys.map(async (key) => {
        const found = await this.#ends(this.#quarantinePath(shardName(key)))
        return { key, shard: typeof found === 'object' ? found : undefined }
      }),
    )
  }

  async verify(key: ShardKey, pace: (bytes: number) => Promise<void>): Promise<SealedShard> {
    this.#refuseWhenStopped()
    return withSealed(this.#disk, this.#path(shardName(key)), async (sealed) => {
      await verifyCells(sealed, pace)
      return sealed.shard
    })
  }

  async list(
    after: string,
    limit: number,
    until = '~',
  ): Promise<{
    shards: readonly SealedShard[]
    unreadable: readonly ShardKey[]
    next: string | undefined
  }> {
    this.#refuseWhenStopped()
    const wanted = Math.min(limit, this.#limits.listMax)
    const names = await this.#namesBehind({ after, until }, wanted)
    const shards: SealedShard[] = []
    const unreadable: ShardKey[] = []
    for (let i = 0; i < names.length; i += this.#limits.listParallelMax) {
      const some = names.slice(i, i + this.#limits.listParallelMax)
      const found = await Promise.all(some.map((name) => this.#describeListed(name)))
      for (const one of found) {
        if (one === undefined) continue
        if ('header' in one) shards.push(one)
        else unreadable.push(one)
      }
    }
    return { shards, unreadable, next: names.length < wanted ? undefined : names.at(-1) }
  }

  async usage(): Promise<ShardUsage> {
    return { freeBytes: await this.#space.free(), openShards: this.#open.size }
  }

  async close(): Promise<void> {
    for (const name of this.#open.names()) await this.#locks.run(name, () => this.#open.discard(name))
    await this.#sealed.close()
  }

  // Writing.

  /** The sealed shard of this name, if one is readable; GenerationMismatch when `header` must not replace it. */
  async #refuseOlder(name: string, header: ShardHeader): Promise<SealedShard | undefined> {
    const found = await this.#ends(this.#path(name))
    // None, or one whose ends are corrupt: it may be replaced.
    if (typeof found !== 'object') return undefined
    if (!sameHeader(found.header, header) && found.header.generation >= header.generation)
      throw generationMismatch(found.header, header)
    return found
  }

  /** Later than the clock, any other seal of this process, and the incarnation that is replaced. */
  #nextSealedMs(replaced: SealedShard | undefined): number {
    const nowMs = Math.floor(this.#options.clock.wallMs())
    this.#lastSealedMs = Math.max(nowMs, this.#lastSealedMs + 1, (replaced?.sealedMs ?? 0) + 1)
    return this.#lastSealedMs
  }

  async #publish(name: string, finished: FinishedShard): Promise<void> {
    const path = this.#path(name)
    await this.#open.moveOut(name, finished.path, path)
    this.#sealed.adopt(path, finished)
    await this.#fatalIfFails(() => this.#directories.sync(this.#directoryOf(name)))
    await this.#dropQuarantined(name)
  }

  // Reading.

  async #namesBehind({ after, until }: { after: string; until: string }, limit: number): Promise<string[]> {
    const names: string[] = []
    const firstFan = Number.parseInt(after.slice(0, 2).padEnd(2, '0'), 16) || 0
    for (let fan = firstFan; fan < 256 && names.length < limit; fan++) {
      const hex = fan.toString(16).padStart(2, '0')
      if (hex > until) break
      const found = await this.#disk.list(join(this.#options.root, 'shards', hex))
      const inRange = found.filter((name) => name > after && name <= until)
      names.push(...inRange.filter((name) => parseShardName(name) !== undefined).sort())
    }
    return names.slice(0, limit)
  }

  /** Undefined: removed meanwhile. */
  async #describeListed(name: string): Promise<SealedShard | ShardKey | undefined> {
    try {
      return await this.#sealed.describeListed(this.#path(name))
    } catch (error) {
      if (error instanceof ClusterError && error.code === 'ShardNotFound') return undefined
      if (error instanceof ClusterError && error.code === 'ShardCorrupt') return parseShardName(name)
      throw error
    }
  }

  async #incarnation(name: string): Promise<number | 'none' | 'unreadable'> {
    const found = await this.#ends(this.#path(name))
    return typeof found === 'object' ? found.sealedMs : found
  }

  async #ends(path: string): Promise<SealedShard | 'none' | 'unreadable'> {
    try {
      return await this.#sealed.describe(path)
    } catch (error) {
      if (error instanceof ClusterError && error.code === 'ShardNotFound') return 'none'
      if (error instanceof ClusterError && error.code === 'ShardCorrupt') return 'unreadable'
      throw error
    }
  }

  // Files.

  #directoryOf(name: string): string {
    return join(this.#options.root, 'shards', name.slice(0, 2))
  }

  #path(name: string): string {
    return join(this.#directoryOf(name), name)
  }

  #quarantinePath(name: string): string {
    return join(this.#options.root, 'quarantine', name)
  }

  async #dropQuarantined(name: string): Promise<boolean> {
    if (!this.#quarantined.delete(name)) return false
    const path = this.#quarantinePath(name)
    this.#sealed.drop(path)
    await this.#unlink(path)
    return true
  }

  /** False: there was no such file. */
  async #unlink(path: string): Promise<boolean> {
    try {
      await this.#disk.unlink(path)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw new ClusterError('Internal', 'cannot remove a shard file', { cause: error })
    }
  }

  // Failing.

  #locked<T>(name: string, task: () => Promise<T>): Promise<T> {
    return this.#locks.run(name, () => {
      this.#refuseWhenStopped()
      return task()
    })
  }

  #refuseWhenStopped(): void {
    if (this.#stopped !== undefined) throw this.#stopped
  }

  async #fatalIfFails(sync: () => Promise<void>): Promise<void> {
    try {
      await sync()
    } catch (error) {
      const stopped = new ClusterError('Internal', 'fsync failed: this node has stopped', { cause: error })
      this.#stopped ??= stopped
      this.#options.onFatal(stopped)
      throw stopped
    }
  }
}
