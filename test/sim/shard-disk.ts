/**
 * A disk in memory that forgets what was not synced, and stops at any operation it is told to stop at.
 *
 * It is adversarial: after a power loss every unsynced directory entry is independently old or new, and unsynced
 * file bytes are old, new, zero or cut off. Directories themselves are durable at once.
 */
import { basename, dirname } from 'node:path'
import type { Disk, DiskFile } from '../../node/io/shard-files-disk.ts'

interface Inode {
  data: Buffer
  durable: Buffer
}

interface Directory {
  entries: Map<string, Inode>
  durable: Map<string, Inode>
}

export class SimCrash extends Error {}

/** A small seeded generator (mulberry32): floats in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export class SimDisk implements Disk {
  readonly #directories = new Map<string, Directory>()
  /** Operations so far; the one with this number, and all later ones, fail with SimCrash. */
  steps = 0
  crashAtStep = Number.POSITIVE_INFINITY
  /** Whether the operation at which the process dies still takes effect. */
  crashAfterEffect = false
  freeBytesLeft = 1024 ** 4
  failSyncs = false
  openFiles = 0
  directorySyncs = 0

  create(path: string): Promise<DiskFile> {
    return this.#step(() => {
      const entries = this.#directory(path).entries
      if (entries.has(basename(path))) throw errno('EEXIST')
      const inode = { data: Buffer.alloc(0), durable: Buffer.alloc(0) }
      entries.set(basename(path), inode)
      return this.#file(inode)
    })
  }

  open(path: string): Promise<DiskFile> {
    return this.#step(() => this.#file(this.#inode(path)))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step(() => {
      const inode = this.#inode(from)
      this.#directory(from).entries.delete(basename(from))
      this.#directory(to).entries.set(basename(to), inode)
    })
  }

  unlink(path: string): Promise<void> {
    return this.#step(() => {
      this.#inode(path)
      this.#directory(path).entries.delete(basename(path))
    })
  }

  list(path: string): Promise<string[]> {
    return this.#step(() => [...this.#at(path).entries.keys()], { yields: false })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#step(
      () => {
        if (!this.#directories.has(path))
          this.#directories.set(path, { entries: new Map(), durable: new Map() })
      },
      { yields: false },
    )
  }

  syncDirectory(path: string): Promise<void> {
    return this.#step(() => {
      if (this.failSyncs) throw errno('EIO')
      this.directorySyncs++
      const directory = this.#at(path)
      directory.durable = new Map(directory.entries)
    })
  }

  freeBytes(): Promise<number> {
    return this.#step(() => this.freeBytesLeft)
  }

  /** The bytes of a file, for tests that damage them. */
  bytesOf(path: string): Buffer {
    return this.#inode(path).data
  }

  overwrite(path: string, data: Buffer): void {
    const inode = this.#inode(path)
    inode.data = data
    inode.durable = data
  }

  paths(under: string): string[] {
    return [...this.#directories].flatMap(([path, { entries }]) =>
      path.startsWith(under) ? [...entries.keys()].map((name) => `${path}/${name}`) : [],
    )
  }

  /** The disk as the next process finds it. 'kill': the kernel lived on. 'power': what was unsynced is a gamble. */
  afterCrash(kind: 'kill' | 'power', random: () => number): SimDisk {
    const next = new SimDisk()
    const survivors = new Map<Inode, Inode>()
    const survive = (inode: Inode): Inode => {
      const known = survivors.get(inode)
      if (known !== undefined) return known
      const data = kind === 'kill' ? inode.data : gamble(inode, random)
      const survivor = { data, durable: data }
      survivors.set(inode, survivor)
      return survivor
    }
    for (const [path, directory] of this.#directories) {
      const entries = new Map<string, Inode>()
      for (const name of new Set([...directory.entries.keys(), ...directory.durable.keys()])) {
        const newer = kind === 'kill' || random() < 0.5
        const inode = (newer ? directory.entries : directory.durable).get(name)
        if (inode !== undefined) entries.set(name, survive(inode))
      }
      next.#directories.set(path, { entries, durable: new Map(entries) })
    }
    next.freeBytesLeft = this.freeBytesLeft
    return next
  }

  #file(inode: Inode): DiskFile {
    this.openFiles++
    return {
      write: (buffers, position) =>
        this.#step(() => {
          const bytes = Buffer.concat(buffers)
          const end = position + bytes.length
          const growth = Math.max(0, end - inode.data.length)
          if (growth > this.freeBytesLeft) throw errno('ENOSPC')
          this.freeBytesLeft -= growth
          const data = Buffer.alloc(Math.max(inode.data.length, end))
          inode.data.copy(data)
          bytes.copy(data, position)
          inode.data = data
        }),
      read: (into, position) => this.#step(() => inode.data.copy(into, 0, position)),
      sync: () =>
        this.#step(() => {
          if (this.failSyncs) throw errno('EIO')
          inode.durable = inode.data
        }),
      bytes: () => this.#step(() => inode.data.length),
      close: () =>
        this.#step(() => {
          this.openFiles--
        }),
    }
  }

  async #step<T>(effect: () => T, { yields } = { yields: true }): Promise<T> {
    const step = this.steps++
    // Lets other callers in between, as a real disk would; not for the 256 directories, that is slow.
    if (yields) await new Promise((resolve) => setImmediate(resolve))
    if (step > this.crashAtStep) throw new SimCrash()
    if (step < this.crashAtStep) return effect()
    if (this.crashAfterEffect) effect()
    throw new SimCrash()
  }

  #at(path: string): Directory {
    const directory = this.#directories.get(path)
    if (directory === undefined) throw errno('ENOENT')
    return directory
  }

  #directory(path: string): Directory {
    return this.#at(dirname(path))
  }

  #inode(path: string): Inode {
    const inode = this.#directory(path).entries.get(basename(path))
    if (inode === undefined) throw errno('ENOENT')
    return inode
  }
}

/** What unsynced bytes may look like after a power loss. */
function gamble(inode: Inode, random: () => number): Buffer {
  if (inode.data.equals(inode.durable)) return inode.data
  const choice = random()
  if (choice < 0.3) return inode.durable
  if (choice < 0.5) return inode.data
  const cut = Math.floor(random() * (inode.data.length + 1))
  const data = Buffer.from(inode.data)
  if (choice < 0.75) return data.subarray(0, cut)
  return data.fill(0, cut)
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}
