/**
 * A bounded pool of stripes in one WebAssembly memory of fixed size: where bytes wait to be coded.
 *
 * Invariant: the memory never grows, so no view ever detaches; at most `stripesMax` stripes are out, and whoever
 * asks for another waits in order. A pool owns the buffers; a caller owns a stripe from acquire to release and
 * must not touch its views afterwards.
 */
import { BoundedCache } from './bounded-cache.ts'
import { type Code, encodeMap, range, reconstructMap, updateMap } from './code.ts'
import { CodecError } from './codec-error.ts'
import type { Engine, Kernel, MapJob } from './engine.ts'
import { LastPattern } from './last-pattern.ts'
import { checkIndex, checkOptions, checkPattern } from './stripe-arguments.ts'

export interface StripePoolOptions {
  /** Largest cell of a stripe. */
  readonly cellBytesMax: number
  /** Room behind each cell for what travels with it, such as a checksum. */
  readonly trailerBytes: number
  readonly stripesMax: number
}

/** See `Codec.createStripePool`. */
export interface StripePool {
  /** The next free stripe; waits, first come first served, while all are out. Rejects when the pool closes. */
  acquire(): Promise<Stripe>
  /** A stripe if one is free and nobody waits. */
  tryAcquire(): Stripe | undefined
  readonly inUse: number
  /** Callers that wait in `acquire`: the length of the queue behind the bound. */
  readonly waiting: number
  /** Rejects whoever waits, now and later. Stripes that are out stay valid until released. */
  close(): void
}

/**
 * One codeword under construction: n cells, data first, then parity.
 *
 * `cellBytes` is always a positive multiple of the codec's `blockBytes`, at most `cellBytesMax`, and the same in
 * all calls for one codeword. Contents are whatever the previous user left; every method throws CodecError for an
 * argument outside of what it says, and after release.
 */
export interface Stripe {
  /** n views over WebAssembly memory, each cellBytesMax long. */
  readonly cells: readonly Buffer[]
  /** One more view, for `update`: old bytes XOR new bytes of a data cell. */
  readonly delta: Buffer
  /** View of a cell and the room for its trailer right behind it: fit to be sent as it is. */
  framed(shardIndex: number, cellBytes: number): Buffer
  /** Data cells -> parity cells. */
  encode(cellBytes: number): void
  /**
   * Present cells -> missing cells, in place; or only the `wanted` ones among the missing.
   * Cells that are neither present nor wanted stay untouched. Needs k present cells.
   */
  reconstruct(cellBytes: number, options: ReconstructOptions): void
  /** Whether the parity cells fit the data cells. */
  verify(cellBytes: number): boolean
  /**
   * Adds a change of one data cell to that cell and to all parity, without reading the other data.
   * `delta` is old XOR new, at least cellBytes long; when it is not this stripe's own `delta` view it is copied there.
   */
  update(cellBytes: number, dataIndex: number, delta: Uint8Array): void
  /** Gives the stripe back. A second release is a bug and throws. */
  release(): void
}

export interface ReconstructOptions {
  /** n flags. */
  readonly present: readonly boolean[]
  /** Shard indices, none of them present; all missing ones when absent. */
  readonly wanted?: readonly number[]
}

/** WebAssembly's page, and the most that 32-bit addresses reach. */
const PAGE_BYTES = 65_536
const MEMORY_BYTES_MAX = 2 ** 32 - PAGE_BYTES
/** Kernels bound to one memory: every pattern of the default pool, or the patterns that a large code meets at a time. */
const KERNELS_MAX = 256
const CACHE_PAGE_BYTES = 4096
/** Consecutive cells start in different sets of the L1 cache, and five lines apart. */
const STRIDE_SKEW_BYTES = 320

/** Distance of cells: an odd number of 4 KiB pages and a skew, so that n cells do not fight for the same cache and TLB sets. */
export function strideFor(options: { readonly cellBytesMax: number; readonly trailerBytes: number }): number {
  const pages = Math.ceil((options.cellBytesMax + options.trailerBytes) / CACHE_PAGE_BYTES)
  return (pages | 1) * CACHE_PAGE_BYTES + STRIDE_SKEW_BYTES
}

/** What stripes need from their pool. */
interface PoolState {
  readonly code: Code
  readonly blockBytes: number
  readonly cellBytesMax: number
  readonly trailerBytes: number
  readonly strideBytes: number
  readonly memory: WebAssembly.Memory
  kernel(key: string, job: () => MapJob): Kernel
  readonly patterns: LastPattern
  giveBack(slot: number): void
}

/** Throws CodecError when an option is not a size or the pool would not fit into a 32-bit memory. */
export function createStripePool(code: Code, engine: Engine, options: StripePoolOptions): StripePool {
  return new WasmStripePool(code, engine, options)
}

class WasmStripePool implements StripePool {
  readonly #state: PoolState
  readonly #free: number[]
  readonly #stripesMax: number
  readonly #slotBytes: number
  readonly #headBytes: number
  readonly #waiters: { resolve(stripe: Stripe): void; reject(error: Error): void }[] = []
  #closed = false

  constructor(code: Code, engine: Engine, options: StripePoolOptions) {
    checkOptions(engine, options)
    const strideBytes = strideFor(options)
    // One cell more than shards: the delta of an update.
    this.#slotBytes = (code.generator.rows + 1) * strideBytes
    this.#headBytes = Math.ceil(engine.headBytes / CACHE_PAGE_BYTES) * CACHE_PAGE_BYTES
    const bytes = this.#headBytes + options.stripesMax * this.#slotBytes
    if (bytes > MEMORY_BYTES_MAX) {
      throw new CodecError(
        `a pool of ${options.stripesMax} stripes needs ${bytes} bytes, at most ${MEMORY_BYTES_MAX} fit`,
      )
    }
    const pages = Math.ceil(bytes / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const makeKernel = engine.attach({ memory, strideBytes })
    const kernels = new BoundedCache<Kernel>(KERNELS_MAX)
    this.#stripesMax = options.stripesMax
    this.#free = range(0, options.stripesMax).reverse()
    this.#state = {
      code,
      blockBytes: engine.blockBytes,
      cellBytesMax: options.cellBytesMax,
      trailerBytes: options.trailerBytes,
      strideBytes,
      memory,
      kernel: (key, job) => kernels.get(key, () => makeKernel(job())),
      patterns: new LastPattern(),
      giveBack: (slot) => this.#giveBack(slot),
    }
  }

  get inUse(): number {
    return this.#stripesMax - this.#free.length
  }

  get waiting(): number {
    return this.#waiters.length
  }

  acquire(): Promise<Stripe> {
    if (this.#closed) return Promise.reject(new CodecError('the stripe pool is closed'))
    const stripe = this.tryAcquire()
    if (stripe) return Promise.resolve(stripe)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  tryAcquire(): Stripe | undefined {
    // A free slot and a waiter never coexist: giveBack serves waiters first.
    const slot = this.#closed ? undefined : this.#free.pop()
    return slot === undefined ? undefined : this.#stripe(slot)
  }

  close(): void {
    this.#closed = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new CodecError('the stripe pool is closed'))
  }

  #giveBack(slot: number): void {
    const waiter = this.#waiters.shift()
    if (waiter) waiter.resolve(this.#stripe(slot))
    else this.#free.push(slot)
  }

  #stripe(slot: number): Stripe {
    return new WasmStripe(this.#state, { slot, base: this.#headBytes + slot * this.#slotBytes })
  }
}

class WasmStripe implements Stripe {
  readonly cells: readonly Buffer[]
  readonly delta: Buffer
  readonly #state: PoolState
  readonly #slot: number
  readonly #base: number
  #released = false

  constructor(state: PoolState, place: { readonly slot: number; readonly base: number }) {
    this.#state = state
    this.#slot = place.slot
    this.#base = place.base
    const views = range(0, state.code.generator.rows + 1).map((cell) => this.#view(cell, state.cellBytesMax))
    this.delta = views.pop() as Buffer
    this.cells = views
  }

  framed(shardIndex: number, cellBytes: number): Buffer {
    this.#check(cellBytes)
    checkIndex('shardIndex', shardIndex, this.cells.length)
    return this.#view(shardIndex, cellBytes + this.#state.trailerBytes)
  }

  encode(cellBytes: number): void {
    this.#check(cellBytes)
    if (this.#state.code.spec.parityShards === 0) return
    this.#run(cellBytes, 'encode', () => ({ map: encodeMap(this.#state.code), mode: 'store' }))
  }

  reconstruct(cellBytes: number, options: ReconstructOptions): void {
    this.#check(cellBytes)
    const { patterns } = this.#state
    if (!patterns.isLast(options)) patterns.remember(options, this.#patternKernel(options))
    patterns.kernel?.(this.#base, cellBytes)
  }

  /** Undefined when nothing is missing. */
  #patternKernel({ present, wanted }: ReconstructOptions): Kernel | undefined {
    const { code, kernel } = this.#state
    const targets = checkPattern(present, wanted, code)
    if (targets.length === 0) return undefined
    const key = `reconstruct ${present.map(Number).join('')} ${targets.join()}`
    return kernel(key, () => ({ map: reconstructMap(code, present, targets), mode: 'store' }))
  }

  verify(cellBytes: number): boolean {
    this.#check(cellBytes)
    if (this.#state.code.spec.parityShards === 0) return true
    return this.#run(cellBytes, 'verify', () => ({ map: encodeMap(this.#state.code), mode: 'compare' }))
  }

  update(cellBytes: number, dataIndex: number, delta: Uint8Array): void {
    this.#check(cellBytes)
    checkIndex('dataIndex', dataIndex, this.#state.code.spec.dataShards)
    if (!(delta instanceof Uint8Array) || delta.length < cellBytes) {
      throw new CodecError(`delta must be a Uint8Array of at least ${cellBytes} bytes`)
    }
    if (delta.buffer !== this.delta.buffer || delta.byteOffset !== this.delta.byteOffset) {
      this.delta.set(delta.subarray(0, cellBytes))
    }
    const job = (): MapJob => ({
      map: updateMap(this.#state.code, dataIndex, this.cells.length),
      mode: 'add',
    })
    this.#run(cellBytes, `update ${dataIndex}`, job)
  }

  release(): void {
    if (this.#released) throw new CodecError('the stripe was released already')
    this.#released = true
    this.#state.giveBack(this.#slot)
  }

  #run(cellBytes: number, key: string, job: () => MapJob): boolean {
    return this.#state.kernel(key, job)(this.#base, cellBytes)
  }

  #view(cell: number, bytes: number): Buffer {
    const { memory, strideBytes } = this.#state
    return Buffer.from(memory.buffer, this.#base + cell * strideBytes, bytes)
  }

  #check(cellBytes: number): void {
    const { blockBytes, cellBytesMax } = this.#state
    if (this.#released) throw new CodecError('the stripe was released')
    if (
      !Number.isInteger(cellBytes) ||
      cellBytes < 1 ||
      cellBytes > cellBytesMax ||
      cellBytes % blockBytes !== 0
    ) {
      throw new CodecError(
        `cellBytes must be a multiple of ${blockBytes} in [1, ${cellBytesMax}], got ${cellBytes}`,
      )
    }
  }
}
