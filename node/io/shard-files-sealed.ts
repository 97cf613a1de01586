/**
 * Sealed shard files that are open for reading: a bounded cache of descriptors with their parsed ends.
 *
 * Invariant: an entry is closed once, when it has been dropped and nobody uses it. A reader that began before a shard
 * was replaced or removed finishes on the old file. Leaves names and replacement to shard-files.ts.
 */
import { basename } from 'node:path'
import { ClusterError } from '../errors.ts'
import { footerBytes, headerBytes, parseFooter, parseHeader } from '../protocol/shard-record.ts'
import { type SealedShard, shardName } from '../protocol/shard-store.ts'
import { type Disk, type DiskFile, errnoOf } from './shard-files-disk.ts'

export interface SealedFile {
  readonly file: DiskFile
  readonly shard: SealedShard
  /** As its footer has it; compared with the cells only by a scrub. */
  readonly digest: Uint8Array
}

interface Entry {
  readonly opened: Promise<SealedFile>
  users: number
  dropped: boolean
}

export class SealedFiles {
  readonly #disk: Disk
  readonly #filesMax: number
  readonly #describedMax: number
  /** Ends of files by path, for listings: a census of all shards must not open all files again. */
  readonly #described = new Map<string, SealedShard>()
  /** By path, least recently used first. */
  readonly #entries = new Map<string, Entry>()

  constructor(disk: Disk, limits: { readonly filesMax: number; readonly describedMax: number }) {
    this.#disk = disk
    this.#filesMax = limits.filesMax
    this.#describedMax = limits.describedMax
  }

  /** Runs `task` on the sealed file at `path`. ShardNotFound, ShardCorrupt (bad header or footer). */
  async use<T>(path: string, task: (sealed: SealedFile) => Promise<T> | T): Promise<T> {
    let entry = this.#entries.get(path)
    if (entry === undefined) entry = this.#add(path, openSealed(this.#disk, path))
    else {
      this.#entries.delete(path)
      this.#entries.set(path, entry)
    }
    entry.users++
    try {
      return await task(await entry.opened)
    } catch (error) {
      if (this.#entries.get(path) === entry && !(await fulfilled(entry.opened))) this.#entries.delete(path)
      throw error
    } finally {
      entry.users--
      this.#closeUnused(entry)
    }
  }

  /** What the sealed file at `path` says of itself, without keeping it open. ShardNotFound, ShardCorrupt. */
  async describe(path: string): Promise<SealedShard> {
    const entry = this.#entries.get(path)
    if (entry !== undefined) return this.use(path, ({ shard }) => shard)
    return withSealed(this.#disk, path, ({ shard }) => shard)
  }

  /** As `describe`, for listings of names that are known to exist: remembers what it read until `drop`. */
  async describeListed(path: string): Promise<SealedShard> {
    const known = this.#described.get(path)
    if (known !== undefined) return known
    const shard = await this.describe(path)
    this.#remember(path, shard)
    return shard
  }

  #remember(path: string, shard: SealedShard): void {
    if (this.#described.size >= this.#describedMax) this.#described.clear()
    this.#described.set(path, shard)
  }

  /** Takes over the open file of a shard that was sealed at `path` just now. */
  adopt(path: string, sealed: SealedFile): void {
    this.drop(path)
    this.#remember(path, sealed.shard)
    this.#add(path, Promise.resolve(sealed))
  }

  /** The file at `path` is another one, or none, from now on. */
  drop(path: string): void {
    this.#described.delete(path)
    this.#evict(path)
  }

  /** Closes the file; what is known of it stays. */
  #evict(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    entry.dropped = true
    this.#closeUnused(entry)
  }

  async close(): Promise<void> {
    for (const path of [...this.#entries.keys()]) this.drop(path)
  }

  #add(path: string, opened: Promise<SealedFile>): Entry {
    const entry: Entry = { opened, users: 0, dropped: false }
    this.#entries.set(path, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#filesMax) break
      this.#evict(oldest)
    }
    return entry
  }

  #closeUnused(entry: Entry): void {
    if (!entry.dropped || entry.users > 0) return
    entry.users = Number.POSITIVE_INFINITY
    entry.opened
      .then(({ file }) => file.close())
      // It never opened, and who wanted it has been told; or the close failed, and nothing unsynced was in it.
      .catch(() => undefined)
  }
}

async function fulfilled(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  )
}

/** Runs `task` on the sealed file at `path`, opened for it alone: what it sees is on the disk now. */
export async function withSealed<T>(
  disk: Disk,
  path: string,
  task: (sealed: SealedFile) => Promise<T> | T,
): Promise<T> {
  const sealed = await openSealed(disk, path)
  try {
    return await task(sealed)
  } finally {
    await sealed.file.close()
  }
}

/** Opens and checks a sealed file: name, header, footer, size. Cells are checked when they are read. */
async function openSealed(disk: Disk, path: string): Promise<SealedFile> {
  const file = await openOrNotFound(disk, path)
  try {
    const sealed = { file, ...(await readEnds(file)) }
    if (shardName(sealed.shard.header) !== basename(path))
      throw new ClusterError('ShardCorrupt', 'file holds another shard', { details: { region: 'header' } })
    return sealed
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openOrNotFound(disk: Disk, path: string): Promise<DiskFile> {
  try {
    return await disk.open(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new ClusterError('ShardNotFound', 'no such shard')
    throw new ClusterError('Internal', 'cannot open a shard file', { cause: error })
  }
}

async function readEnds(file: DiskFile): Promise<Omit<SealedFile, 'file'>> {
  const fileBytes = await file.bytes()
  if (fileBytes < headerBytes + footerBytes) {
    throw new ClusterError('ShardCorrupt', 'shard file is too short', { details: { region: 'footer' } })
  }
  const ends = Buffer.alloc(headerBytes + footerBytes)
  const head = ends.subarray(0, headerBytes)
  const foot = ends.subarray(headerBytes)
  try {
    await Promise.all([file.read(head, 0), file.read(foot, fileBytes - footerBytes)])
  } catch (cause) {
    const details = { region: 'header' }
    throw new ClusterError('ShardCorrupt', 'shard file cannot be read', { cause, details })
  }
  const header = parseHeader(head)
  const { cells, lastCellBytes, sealedMs, digest } = parseFooter(foot, header, fileBytes)
  return { shard: { header, cells, lastCellBytes, fileBytes, sealedMs }, digest }
}
