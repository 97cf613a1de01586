/**
 * MD5 for ETags of concurrent uploads: streams share the lanes of one kernel while several are active.
 *
 * Invariant: the digest equals node:crypto's. MD5 here names content for S3 clients; nothing trusts it.
 *
 * When not to use it, measured (README.md): with fewer than `STREAMS_MIN` streams at a time node:crypto is faster,
 * so a stream that starts while fewer are active runs there for its whole life.
 */
import { createHash, type Hash } from 'node:crypto'
import { range } from './code.ts'
import { BLOCK_BYTES, HEAD_BYTES, INITIAL_STATE, LANES_MAX, type Md5Kernel, md5Kernel } from './md5-kernel.ts'

/** Streams at which side by side beats one after the other in node:crypto, with a margin for uneven arrival. */
export const STREAMS_MIN = 4
/** Bytes that one stream may have waiting for the next run: a socket read, so that a run has work for all lanes. */
const SLOT_BYTES = 65_536
/** Streams in lanes at a time; more run in node:crypto. Memory: this many slots. */
const SLOTS_MAX = 64
const PAGE_BYTES = 65_536
/** A block's last eight bytes hold the message length; one byte in front of them marks the end. */
const LENGTH_BYTES = 8

/** One message. Obtained from Md5Scheduler.stream(). */
export interface Md5Stream {
  /**
   * Takes all of `buffer` at once or, when the stream's slot is full, over the next runs: await the promise before
   * changing the buffer or calling again. At most one call at a time.
   */
  update(buffer: Uint8Array): void | Promise<void>
  /** Ends the stream: sixteen bytes. */
  digest(): Promise<Buffer>
  /** Gives up: frees the lane without a digest. Harmless after digest. */
  abort(): void
}

/** Shares lanes among streams. One per event loop. */
export class Md5Scheduler {
  readonly #memory: Uint8Array
  readonly #kernel: Md5Kernel
  readonly #freeSlots = range(0, SLOTS_MAX).reverse()
  readonly #lanes = new Set<LaneStream>()
  #active = 0
  #scheduled = false

  constructor() {
    const pages = Math.ceil((HEAD_BYTES + SLOTS_MAX * SLOT_BYTES) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    this.#memory = new Uint8Array(memory.buffer)
    this.#kernel = md5Kernel(memory)
  }

  /** Streams begun and not ended, in lanes and in node:crypto. */
  get active(): number {
    return this.#active
  }

  /** Streams in lanes. */
  get inLanes(): number {
    return this.#lanes.size
  }

  /** A new message: in a lane when enough streams are active and a slot is free, otherwise in node:crypto. */
  stream(): Md5Stream {
    this.#active++
    const slot = this.#active < STREAMS_MIN ? undefined : this.#freeSlots.pop()
    if (slot === undefined) return new CryptoStream(() => this.#active--)
    const address = HEAD_BYTES + slot * SLOT_BYTES
    const lane = new LaneStream(this.#memory.subarray(address, address + SLOT_BYTES), address, {
      wake: () => this.#wake(),
      ended: () => {
        this.#active--
        this.#lanes.delete(lane)
        this.#freeSlots.push(slot)
      },
    })
    this.#lanes.add(lane)
    return lane
  }

  /** One run per turn of the event loop: by then the other streams' data of this turn have arrived. */
  #wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  #run(): void {
    const ready = [...this.#lanes].filter((lane) => lane.blocks > 0)
    while (ready.length > 0) {
      ready.sort((a, b) => b.blocks - a.blocks)
      const chosen = ready.slice(0, LANES_MAX)
      // The shortest decides; whoever has more runs again, with those that did not fit.
      const blocks = Math.min(...chosen.map((lane) => lane.blocks))
      this.#kernel.run(
        chosen.map((lane) => lane.state),
        chosen.map((lane) => lane.readAddress),
        blocks,
      )
      for (const lane of chosen) lane.advance(blocks)
      for (let index = ready.length - 1; index >= 0; index--) {
        if (ready[index]?.blocks === 0) ready.splice(index, 1)
      }
    }
    for (const lane of [...this.#lanes]) lane.settle()
  }
}

/** A message in a lane: its slot collects bytes until a run consumes the whole blocks among them. */
class LaneStream implements Md5Stream {
  readonly state = Uint32Array.from(INITIAL_STATE)
  readonly #slot: Uint8Array
  readonly #address: number
  readonly #scheduler: { wake(): void; ended(): void }
  #read = 0
  #written = 0
  #totalBytes = 0
  #padded = false
  #ended = false
  #onRoom: (() => void) | undefined
  #onDigest: ((digest: Buffer) => void) | undefined

  constructor(slot: Uint8Array, address: number, scheduler: { wake(): void; ended(): void }) {
    this.#slot = slot
    this.#address = address
    this.#scheduler = scheduler
  }

  get blocks(): number {
    return Math.floor((this.#written - this.#read) / BLOCK_BYTES)
  }

  get readAddress(): number {
    return this.#address + this.#read
  }

  advance(blocks: number): void {
    this.#read += blocks * BLOCK_BYTES
  }

  /** After a run: less than a block is left; makes room for more and wakes whoever waits. */
  settle(): void {
    this.#slot.copyWithin(0, this.#read, this.#written)
    this.#written -= this.#read
    this.#read = 0
    if (this.#onDigest && this.#padded) {
      const digest = Buffer.from(this.state.buffer.slice(0))
      this.#end()
      this.#onDigest(digest)
      return
    }
    const onRoom = this.#onRoom
    this.#onRoom = undefined
    onRoom?.()
  }

  update(buffer: Uint8Array): void | Promise<void> {
    this.#check()
    this.#totalBytes += buffer.length
    const taken = this.#take(buffer)
    if (this.#written === SLOT_BYTES || taken < buffer.length) this.#scheduler.wake()
    return taken === buffer.length ? undefined : this.#takeRest(buffer.subarray(taken))
  }

  async digest(): Promise<Buffer> {
    this.#check()
    if (this.#onDigest) throw new Error('the digest was asked for already')
    const digest = new Promise<Buffer>((resolve) => {
      this.#onDigest = resolve
    })
    const padding = this.#padding()
    const taken = this.#take(padding)
    this.#padded = taken === padding.length
    this.#scheduler.wake()
    if (!this.#padded) {
      await this.#takeRest(padding.subarray(taken))
      this.#padded = true
      this.#scheduler.wake()
    }
    return digest
  }

  abort(): void {
    if (!this.#ended) this.#end()
  }

  #end(): void {
    this.#ended = true
    this.#scheduler.ended()
  }

  #check(): void {
    if (this.#ended) throw new Error('the MD5 stream has ended')
    if (this.#onRoom) throw new Error('the previous update was not awaited')
  }

  #take(buffer: Uint8Array): number {
    const room = Math.min(buffer.length, SLOT_BYTES - this.#written)
    this.#slot.set(room === buffer.length ? buffer : buffer.subarray(0, room), this.#written)
    this.#written += room
    return room
  }

  async #takeRest(buffer: Uint8Array): Promise<void> {
    for (let taken = 0; taken < buffer.length; ) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve
      })
      taken += this.#take(buffer.subarray(taken))
      if (this.#written === SLOT_BYTES) this.#scheduler.wake()
    }
  }

  /** RFC 1321, 3.1 and 3.2: a one bit, zeros to eight bytes below a block, the length in bits, little-endian. */
  #padding(): Uint8Array {
    const used = (this.#totalBytes + 1 + LENGTH_BYTES) % BLOCK_BYTES
    const padding = Buffer.alloc(1 + ((BLOCK_BYTES - used) % BLOCK_BYTES) + LENGTH_BYTES)
    padding[0] = 0x80
    padding.writeBigUInt64LE(BigInt.asUintN(64, BigInt(this.#totalBytes) * 8n), padding.length - LENGTH_BYTES)
    return padding
  }
}

/** A message in node:crypto, for when lanes would run empty. */
class CryptoStream implements Md5Stream {
  readonly #hash: Hash = createHash('md5')
  readonly #ended: () => void
  #over = false

  constructor(ended: () => void) {
    this.#ended = ended
  }

  update(buffer: Uint8Array): void {
    this.#hash.update(buffer)
  }

  async digest(): Promise<Buffer> {
    if (this.#over) throw new Error('the MD5 stream has ended')
    this.abort()
    return this.#hash.digest()
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#ended()
  }
}
