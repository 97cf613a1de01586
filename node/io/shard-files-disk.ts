/**
 * The few file operations that shard files need, on one disk directory.
 *
 * An interface, so that the kill tests can put a disk beneath that forgets what was not synced. Leaves every meaning
 * (names, durability order, bounds) to shard-files.ts. Callback `fs` with raw descriptors: a `FileHandle` costs
 * about twice the CPU per operation.
 */
import fs from 'node:fs'

export interface DiskFile {
  /** Writes all buffers one after the other at `position`. They must not change before the promise settles. */
  write(buffers: readonly Buffer[], position: number): Promise<void>
  /** Fills `into` from `position` on; returns the bytes read, fewer only at the end of the file. */
  read(into: Buffer, position: number): Promise<number>
  /** fdatasync: data and size are durable when it resolves. */
  sync(): Promise<void>
  bytes(): Promise<number>
  close(): Promise<void>
}

export interface Disk {
  /** A new file, for writing and reading; fails when it exists. */
  create(path: string): Promise<DiskFile>
  open(path: string): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Names in a directory, in no order. */
  list(path: string): Promise<string[]>
  makeDirectory(path: string): Promise<void>
  /** Entries of the directory (created, renamed, unlinked) are durable when it resolves. */
  syncDirectory(path: string): Promise<void>
  freeBytes(path: string): Promise<number>
}

/** `error.code` of a failed file operation, for example 'ENOENT'. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** A file behind a raw descriptor, through the page cache unless it was opened otherwise. */
export class FdFile implements DiskFile {
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    let rest = buffers
    let at = position
    while (rest.length > 0) {
      const written = await this.#writeOnce(rest, at)
      at += written
      rest = behind(rest, written)
    }
  }

  #writeOnce(buffers: readonly Buffer[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, written: number): void => {
        if (error !== null) reject(error)
        else resolve(written)
      }
      const only = buffers[0]
      if (buffers.length === 1 && only !== undefined) fs.write(this.#fd, only, 0, only.length, position, done)
      else fs.writev(this.#fd, buffers as Buffer[], position, done)
    })
  }

  async read(into: Buffer, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const count = await this.readSome(into.subarray(filled), position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  /** One read: fewer bytes than asked for are no end of the file yet, 0 is. */
  readSome(into: Buffer, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, into, 0, into.length, position, (error, count) => {
        if (error !== null) reject(error)
        else resolve(count)
      })
    })
  }

  sync(): Promise<void> {
    return settled((done) => fs.fdatasync(this.#fd, done))
  }

  bytes(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, stats) => {
        if (error !== null) reject(error)
        else resolve(stats.size)
      })
    })
  }

  close(): Promise<void> {
    return settled((done) => fs.close(this.#fd, done))
  }
}

/** What is left of `buffers` behind the first `written` bytes. */
function behind(buffers: readonly Buffer[], written: number): readonly Buffer[] {
  let skip = written
  for (const [i, buffer] of buffers.entries()) {
    if (skip < buffer.length) return [buffer.subarray(skip), ...buffers.slice(i + 1)]
    skip -= buffer.length
  }
  return []
}

/** One callback of `fs` as a promise. */
export function settled(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

/** Opens a raw descriptor; a new file is private to its owner. */
export function openFd(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o600, (error, fd) => {
      if (error !== null) reject(error)
      else resolve(fd)
    })
  })
}
