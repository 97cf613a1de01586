/**
 * RowStore in memory with the durability of a disk: what was not made durable is lost at a crash.
 *
 * Keeps the contract of `io/level-store.ts` (one suite runs on both, test/contract/row-store.test.ts). `crash`
 * returns the store that the next start finds: all durable writes and a random prefix of the others, because a
 * write-ahead log loses its end, never its middle.
 */
import { compareKeys } from '../../node/io/level-overlay.ts'
import type { Row, RowMutation, RowRange, RowSnapshot, RowStore } from '../../node/world.ts'

/** Decides when the disk answers; the default is the next microtask. */
export type Disk = (done: () => void) => void

interface Write {
  readonly mutations: readonly RowMutation[]
  readonly durable: boolean
  readonly resolve: () => void
  readonly reject: (cause: Error) => void
}

export class SimStore implements RowStore {
  readonly #rows = new Map<string, Uint8Array>()
  #sorted: string[] | undefined
  /** Accepted, in order, not yet durable. */
  #undurable: Write[] = []
  readonly #durable = new Map<string, Uint8Array>()
  readonly #disk: Disk
  #syncing = false
  #gone: Error | undefined
  /** Makes the next fsync fail. */
  failNextSync = false

  constructor(disk: Disk = queueMicrotask, rows: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#disk = disk
    for (const [key, value] of rows) {
      this.#rows.set(key, value)
      this.#durable.set(key, value)
    }
  }

  getSync(key: string): Uint8Array | undefined {
    return this.#rows.get(key)
  }

  scan(range: RowRange): AsyncIterable<Row> {
    return {
      [Symbol.asyncIterator]: () => iterate(select(this.#rows, this.#sortedKeys(), range)),
    }
  }

  snapshot(): RowSnapshot {
    const rows = new Map(this.#rows)
    const keys = this.#sortedKeys()
    return {
      scan: (range) => ({ [Symbol.asyncIterator]: () => iterate(select(rows, keys, range)) }),
      close: () => Promise.resolve(),
    }
  }

  write(mutations: readonly RowMutation[], options: { durable: boolean }): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    for (const { key } of mutations) {
      if (!key.isWellFormed()) throw new TypeError('a row key is not well-formed UTF-16')
    }
    for (const { key, value } of mutations) {
      if (value === undefined ? this.#rows.delete(key) : !this.#rows.has(key)) this.#sorted = undefined
      if (value !== undefined) this.#rows.set(key, value)
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#undurable.push({ mutations: [...mutations], durable: options.durable, resolve, reject })
    })
    if (!options.durable) {
      done.catch(() => undefined)
      return Promise.resolve()
    }
    this.#sync()
    return done
  }

  close(): Promise<void> {
    for (const write of this.#undurable.splice(0)) this.#settle(write)
    this.#gone ??= new Error('the row store is closed')
    return Promise.resolve()
  }

  /**
   * Pulls the plug. Nothing that is under way is answered.
   *
   * @param keep how many of the `pending` writes that are not durable reached the disk; a prefix, in order
   */
  crash(keep: (pending: number) => number, disk: Disk = this.#disk): SimStore {
    this.#gone = new Error('the machine is off')
    const pending = this.#undurable.splice(0)
    for (const write of pending.slice(0, keep(pending.length))) this.#apply(write)
    return new SimStore(disk, this.#durable)
  }

  /** One fsync at a time covers everything accepted before it started. */
  #sync(): void {
    if (this.#syncing) return
    this.#syncing = true
    queueMicrotask(() => {
      const covered = this.#undurable.length
      this.#disk(() => {
        this.#syncing = false
        if (this.#gone !== undefined) return
        if (this.failNextSync) {
          this.#gone = new Error('fsync failed')
          for (const write of this.#undurable.splice(0)) write.reject(this.#gone)
          return
        }
        for (const write of this.#undurable.splice(0, covered)) this.#settle(write)
        if (this.#undurable.some((write) => write.durable)) this.#sync()
      })
    })
  }

  #settle(write: Write): void {
    this.#apply(write)
    write.resolve()
  }

  #apply({ mutations }: Write): void {
    for (const { key, value } of mutations) {
      if (value === undefined) this.#durable.delete(key)
      else this.#durable.set(key, value)
    }
  }

  #sortedKeys(): string[] {
    this.#sorted ??= [...this.#rows.keys()].sort(compareKeys)
    return this.#sorted
  }
}

function select(rows: ReadonlyMap<string, Uint8Array>, keys: readonly string[], range: RowRange): Row[] {
  const found: Row[] = []
  for (let at = lowerBound(keys, range.gte); at < keys.length; at += 1) {
    const key = keys[at]
    if (key === undefined || compareKeys(key, range.lt) >= 0) break
    const value = rows.get(key)
    if (value !== undefined) found.push({ key, value })
  }
  if (range.reverse === true) found.reverse()
  return found.slice(0, range.limit)
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys(keys[middle] ?? '', key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

async function* iterate(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows
}
