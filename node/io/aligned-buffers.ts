/**
 * A few page-aligned buffers for direct disk I/O, handed out in turn.
 *
 * Direct I/O needs memory at addresses that are multiples of the disk's block; JavaScript cannot ask for that, but a
 * WebAssembly memory always begins at a page. Bounded: whoever asks while all are out waits, first come first served.
 */

/** What direct I/O is aligned to: the page, a multiple of every disk's block that we know. */
export const DIRECT_ALIGNMENT_BYTES = 4_096

const WASM_PAGE_BYTES = 65_536

export class AlignedBuffers {
  readonly bufferBytes: number
  readonly #free: Buffer[] = []
  readonly #waiting: ((buffer: Buffer) => void)[] = []

  /** `bufferBytes`: a multiple of the alignment. */
  constructor(options: { bufferBytes: number; count: number }) {
    const { bufferBytes, count } = options
    if (bufferBytes % DIRECT_ALIGNMENT_BYTES !== 0) throw new RangeError('aligned buffers are whole pages')
    this.bufferBytes = bufferBytes
    const pages = Math.ceil((bufferBytes * count) / WASM_PAGE_BYTES)
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages })
    for (let i = 0; i < count; i++) this.#free.push(Buffer.from(buffer, i * bufferBytes, bufferBytes))
  }

  /** Lends a buffer to `use` until it has settled. */
  async with<T>(use: (buffer: Buffer) => Promise<T>): Promise<T> {
    const buffer = this.#free.pop() ?? (await new Promise<Buffer>((resolve) => this.#waiting.push(resolve)))
    try {
      return await use(buffer)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(buffer)
      else next(buffer)
    }
  }
}
