/**
 * Keeps the disk's last bytes free: refuses shards before the file system would.
 *
 * A full file system fails in the middle of things (catalog log and rows may share the disk), so shards stop at a
 * reserve. The free space is asked for at most once per `freshMs`; what was granted since is subtracted.
 */
import { ClusterError } from '../errors.ts'

export class DiskSpace {
  readonly #options: {
    readonly freeBytes: () => Promise<number>
    readonly nowMs: () => number
    readonly reserveBytes: number
    readonly freshMs: number
  }
  #free = 0
  #askedMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(options: {
    freeBytes: () => Promise<number>
    nowMs: () => number
    reserveBytes: number
    freshMs: number
  }) {
    this.#options = options
  }

  /** Bytes beyond the reserve. */
  async free(): Promise<number> {
    await this.#refresh()
    return Math.max(0, this.#free - this.#options.reserveBytes)
  }

  /** Throws NoSpace when `bytes` more would touch the reserve. */
  async take(bytes: number): Promise<void> {
    await this.#refresh()
    if (this.#free - bytes < this.#options.reserveBytes) throw new ClusterError('NoSpace', 'disk is full')
    this.#free -= bytes
  }

  /** The file system itself said that it is full: grant nothing until it has been asked again. */
  exhausted(): void {
    this.#free = 0
  }

  async #refresh(): Promise<void> {
    if (this.#options.nowMs() - this.#askedMs < this.#options.freshMs) return
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    await this.#asking
  }

  async #ask(): Promise<void> {
    this.#free = await this.#options.freeBytes()
    this.#askedMs = this.#options.nowMs()
  }
}
