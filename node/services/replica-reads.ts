/**
 * Reads that wait for ReadIndex: first for the leader's confirmation, then for the index to be applied here.
 *
 * Invariant: every read is resolved or rejected exactly once.
 */
import type { ClusterError } from '../errors.ts'

interface Read {
  readonly deadlineMs: number
  /** What has to be applied; undefined until the leader has confirmed itself. */
  index: number | undefined
  resolve(): void
  reject(cause: ClusterError): void
}

export class Reads {
  readonly #reads = new Map<number, Read>()
  #lastId = 0

  get count(): number {
    return this.#reads.size
  }

  /** A new read; `begin` gets its id and asks the core. */
  add(deadlineMs: number, begin: (id: number) => void): Promise<void> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      this.#reads.set(id, { deadlineMs, index: undefined, resolve, reject })
      begin(id)
    })
  }

  /** The leader is confirmed: the reads are good once `index` is applied. */
  confirm(ids: readonly number[], { index, applied }: { index: number; applied: number }): void {
    for (const id of ids) {
      const read = this.#reads.get(id)
      if (read === undefined) continue
      read.index = index
      if (index <= applied) this.#take(id)?.resolve()
    }
  }

  /** Everything up to `index` is applied. */
  applied(index: number): void {
    for (const [id, read] of this.#reads) {
      if (read.index !== undefined && read.index <= index) this.#take(id)?.resolve()
    }
  }

  fail(id: number, cause: ClusterError): void {
    this.#take(id)?.reject(cause)
  }

  expire(nowMs: number, cause: () => ClusterError): void {
    for (const [id, { deadlineMs }] of this.#reads) if (deadlineMs <= nowMs) this.#take(id)?.reject(cause())
  }

  refuse(cause: ClusterError): void {
    for (const id of [...this.#reads.keys()]) this.#take(id)?.reject(cause)
  }

  #take(id: number): Read | undefined {
    const read = this.#reads.get(id)
    this.#reads.delete(id)
    return read
  }
}
