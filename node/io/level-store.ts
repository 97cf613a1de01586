/**
 * The rows of one node in LevelDB (classic-level), with group commit.
 *
 * Owns the order of writes and what "durable" means. One batch is in flight at a time; what is written meanwhile
 * forms the next one and shares its fsync, whichever group it came from. Writes become visible at once (overlay),
 * durable in the order in which they were accepted. A batch of which no part asked for durability waits a moment
 * for one that does, and costs no fsync of its own.
 *
 * Invariant: after a failed write nothing is ever acknowledged again (PostgreSQL's "fsyncgate": the kernel may
 * have dropped the dirty pages, a retry would succeed and lie). The process must stop.
 */
import { ClassicLevel, type Iterator } from 'classic-level'
import { ClusterError } from '../errors.ts'
import type { Row, RowMutation, RowRange, RowSnapshot, RowStore } from '../world.ts'
import { mergePending, Overlay, type OverlayView } from './level-overlay.ts'
import { WalGuard } from './level-wal.ts'

/** Values live in the process's `limits.ts`. */
export interface LevelStoreLimits {
  /** Bytes of keys and values accepted but not yet in LevelDB. Callers bound their own writes below this. */
  readonly queuedBytesMax: number
  /** Longest that writes which ask for no durability wait for one that does, in ms. */
  readonly lazyWriteMs: number
  /** LevelDB's memtable; up to two are in memory. */
  readonly writeBufferBytes: number
  readonly cacheBytes: number
  /** Bytes that a scan reads ahead. */
  readonly scanAheadBytes: number
}

interface Batch {
  readonly sequence: number
  readonly mutations: RowMutation[]
  readonly waiting: { resolve: () => void; reject: (cause: Error) => void }[]
  bytes: number
  durable: boolean
}

/** Rows per round trip to LevelDB's thread; the byte bound usually ends a read earlier. */
const scanRows = 512

export class LevelStore implements RowStore {
  readonly #level: ClassicLevel<string, Buffer>
  readonly #limits: LevelStoreLimits
  readonly #wal: WalGuard
  readonly #overlay = new Overlay()
  #next: Batch
  #queuedBytes = 0
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #scheduled = false
  #failure: Error | undefined
  #closed = false

  private constructor(level: ClassicLevel<string, Buffer>, limits: LevelStoreLimits) {
    this.#level = level
    this.#limits = limits
    this.#wal = new WalGuard(level.location)
    this.#next = emptyBatch(1)
  }

  /**
   * Opens or creates the store in `directory`, which belongs to it alone.
   *
   * @throws Error of LevelDB when the directory is locked, unreadable or corrupt
   */
  static async open(directory: string, limits: LevelStoreLimits): Promise<LevelStore> {
    const level = new ClassicLevel<string, Buffer>(directory, {
      keyEncoding: 'utf8',
      valueEncoding: 'buffer',
      writeBufferSize: limits.writeBufferBytes,
      cacheSize: limits.cacheBytes,
    })
    await level.open()
    return new LevelStore(level, limits)
  }

  getSync(key: string): Uint8Array | undefined {
    const pending = this.#overlay.get(key)
    if (pending !== undefined) return pending.value
    // As bytes: classic-level 3.0.0 writes string keys into a buffer that it reuses, and cuts off a last character of
    // several bytes that does not fit any more (Buffer.write stops before it, which it takes for success).
    return this.#level.getSync<Buffer, Buffer>(Buffer.from(key, 'utf8'), { keyEncoding: 'buffer' })
  }

  /** The view is taken when the iteration starts. */
  scan(range: RowRange): AsyncIterable<Row> {
    return { [Symbol.asyncIterator]: () => this.#read(range, this.#overlay.freeze(), undefined) }
  }

  snapshot(): RowSnapshot {
    const pending = this.#overlay.freeze()
    const snapshot = this.#level.snapshot()
    return {
      scan: (range) => ({ [Symbol.asyncIterator]: () => this.#read(range, pending, snapshot) }),
      close: () => snapshot.close(),
    }
  }

  /**
   * See RowStore. Values belong to the store from here on: the caller must not change them.
   *
   * @throws ClusterError Overloaded when the queue is full (nothing was written), Internal after a failure
   */
  write(mutations: readonly RowMutation[], options: { durable: boolean }): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#closed) return Promise.reject(new ClusterError('Internal', 'the row store is closed'))
    let bytes = 0
    for (const { key, value } of mutations) {
      // Two keys with lone surrogates would become one key of UTF-8.
      if (!key.isWellFormed()) throw new TypeError('a row key is not well-formed UTF-16')
      bytes += key.length + (value?.byteLength ?? 0)
    }
    if (this.#queuedBytes + bytes > this.#limits.queuedBytesMax && this.#queuedBytes > 0) {
      return Promise.reject(new ClusterError('Overloaded', 'the row store queues too many bytes'))
    }
    const batch = this.#next
    for (const mutation of mutations) batch.mutations.push(mutation)
    batch.bytes += bytes
    this.#queuedBytes += bytes
    this.#overlay.add(mutations, batch.sequence)
    if (!options.durable) {
      this.#scheduleLazily()
      return Promise.resolve()
    }
    batch.durable = true
    this.#schedule()
    return new Promise((resolve, reject) => {
      batch.waiting.push({ resolve, reject })
    })
  }

  /** Writes what is queued, durably, and closes. Snapshots and scans that are open keep the store open. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#next.durable = true
    while (this.#writing !== undefined) await this.#writing
    if (this.#failure === undefined && this.#next.mutations.length > 0) await this.#flush()
    this.#wal.close()
    await this.#level.close()
  }

  /** Everything written in this turn of the event loop goes together. */
  #schedule(): void {
    if (this.#scheduled || this.#writing !== undefined) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#start()
    })
  }

  #scheduleLazily(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#scheduled) return
    this.#timer = setTimeout(() => this.#start(), this.#limits.lazyWriteMs)
  }

  #start(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing !== undefined || this.#failure !== undefined) return
    if (this.#next.mutations.length === 0 && this.#next.waiting.length === 0) return
    this.#writing = this.#flush().finally(() => {
      this.#writing = undefined
      if (this.#closed) return
      if (this.#next.durable) this.#start()
      else if (this.#next.mutations.length > 0) this.#scheduleLazily()
    })
  }

  async #flush(): Promise<void> {
    const batch = this.#next
    this.#next = emptyBatch(batch.sequence + 1)
    try {
      if (batch.mutations.length > 0) {
        await this.#writeBatch(batch)
        await this.#wal.settle(batch.durable)
      }
    } catch (cause) {
      this.#fail(batch, cause)
      return
    }
    this.#queuedBytes -= batch.bytes
    this.#overlay.settle(batch.mutations, batch.sequence)
    for (const { resolve } of batch.waiting) resolve()
  }

  /** A chained batch: an array of operations costs three times as much on the main thread (decision 0110). */
  #writeBatch({ mutations, durable }: Batch): Promise<void> {
    const batch = this.#level.batch()
    for (const { key, value } of mutations) {
      if (value === undefined) batch.del(key)
      else batch.put(key, asBuffer(value))
    }
    return batch.write({ sync: durable })
  }

  #fail(batch: Batch, cause: unknown): void {
    const failure = new ClusterError('Internal', 'a write to the row store failed; the process must stop', {
      cause,
    })
    this.#failure = failure
    for (const { reject } of [...batch.waiting, ...this.#next.waiting]) reject(failure)
    this.#next.waiting.length = 0
  }

  #read(
    range: RowRange,
    overlay: OverlayView,
    snapshot: ReturnType<ClassicLevel['snapshot']> | undefined,
  ): AsyncGenerator<Row> {
    const pending = overlay.range(range)
    // A pending deletion hides a stored row: read so many more.
    const limit = range.limit === undefined ? -1 : range.limit + pending.length
    const iterator = this.#level.iterator<string, Buffer>({
      gte: range.gte,
      lt: range.lt,
      reverse: range.reverse === true,
      limit,
      highWaterMarkBytes: this.#limits.scanAheadBytes,
      ...(snapshot === undefined ? {} : { snapshot }),
    })
    return mergePending(readBatches(iterator), pending, range)
  }
}

async function* readBatches(
  iterator: Iterator<ClassicLevel<string, Buffer>, string, Buffer>,
): AsyncGenerator<Row[]> {
  try {
    for (;;) {
      const rows = await iterator.nextv(scanRows)
      if (rows.length === 0) return
      yield rows.map(([key, value]) => ({ key, value }))
    }
  } finally {
    await iterator.close()
  }
}

function emptyBatch(sequence: number): Batch {
  return { sequence, mutations: [], waiting: [], bytes: 0, durable: false }
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
