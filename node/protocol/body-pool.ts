/**
 * Buffers for the bodies of frames, used again when their owner gives them back.
 *
 * Why: a fresh buffer per body costs page faults, and every some ten MiB of them a full garbage collection that marks
 * the whole heap; measured that was a third of what receiving costs.
 * Invariant: a buffer is in the pool or has one owner, never both. Giving back is optional (the collector takes what
 * is forgotten) and counts once, however often it is called; whoever gives back must not look at the bytes again.
 */

export const bodyPoolLimits = {
  /** What lies idle at most. Enough for the bodies under way in a busy process. Bytes. */
  idleBytes: 64 * 1024 * 1024,
  /** Smaller ones are cheap to allocate and to collect. Bytes. */
  pooledBytesMin: 32 * 1024,
} as const

export interface PooledBody {
  readonly bytes: Buffer
  /** Gives the buffer back; nobody may look at `bytes` afterwards. */
  readonly release: () => void
}

export class BodyPool {
  /** By size of the buffers, see `sizeClass`. */
  readonly #idle = new Map<number, Buffer[]>()
  #idleBytes = 0

  /** A buffer of exactly `length` bytes with arbitrary content. */
  take(length: number): PooledBody {
    if (length < bodyPoolLimits.pooledBytesMin) {
      return { bytes: Buffer.allocUnsafeSlow(length), release: nothing }
    }
    const size = sizeClass(length)
    const idle = this.#idle.get(size)?.pop()
    if (idle) this.#idleBytes -= size
    const whole = idle ?? Buffer.allocUnsafeSlow(size)
    let owned = true
    return {
      bytes: whole.subarray(0, length),
      release: () => {
        if (!owned) return
        owned = false
        this.#give(whole)
      },
    }
  }

  #give(whole: Buffer): void {
    if (this.#idleBytes + whole.length > bodyPoolLimits.idleBytes) return
    const list = this.#idle.get(whole.length)
    if (list) list.push(whole)
    else this.#idle.set(whole.length, [whole])
    this.#idleBytes += whole.length
  }
}

/**
 * The next of eight steps per power of two: bodies are a bit more than a power of two (cells and their checksums),
 * and a whole power would waste half.
 */
function sizeClass(length: number): number {
  const step = 2 ** Math.max(Math.ceil(Math.log2(length)) - 3, 12)
  return Math.ceil(length / step) * step
}

function nothing(): void {
  // Small bodies are left to the collector.
}
