/**
 * A queue of buffers, read as one run of bytes: ciphertext on its way into the cells of a stripe.
 */
export class ByteQueue {
  readonly #buffers: Buffer[] = []
  #headOffset = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Takes the buffer over; the caller must not change it. */
  push(buffer: Buffer): void {
    if (buffer.length === 0) return
    this.#buffers.push(buffer)
    this.#bytes += buffer.length
  }

  /** Moves `count` bytes (at most what is queued) into `target` from its start; returns how many. */
  copyInto(target: Buffer, count: number): number {
    const wanted = Math.min(count, this.#bytes)
    for (let done = 0; done < wanted; ) {
      const head = this.#buffers[0]
      if (head === undefined) throw new Error('byte queue lost count')
      const take = Math.min(wanted - done, head.length - this.#headOffset)
      head.copy(target, done, this.#headOffset, this.#headOffset + take)
      done += take
      this.#advance(head, take)
    }
    return wanted
  }

  /** Removes and returns exactly `count` bytes as slices of the queued buffers, without copying. */
  take(count: number): Buffer[] {
    if (count > this.#bytes) throw new RangeError(`${count} bytes asked of a queue of ${this.#bytes}`)
    const slices: Buffer[] = []
    for (let rest = count; rest > 0; ) {
      const head = this.#buffers[0]
      if (head === undefined) throw new Error('byte queue lost count')
      const take = Math.min(rest, head.length - this.#headOffset)
      slices.push(take === head.length ? head : head.subarray(this.#headOffset, this.#headOffset + take))
      rest -= take
      this.#advance(head, take)
    }
    return slices
  }

  #advance(head: Buffer, count: number): void {
    this.#bytes -= count
    this.#headOffset += count
    if (this.#headOffset === head.length) {
      this.#buffers.shift()
      this.#headOffset = 0
    }
  }
}
