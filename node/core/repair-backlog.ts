/**
 * Blobs that wait for repair, the most urgent first, bounded.
 *
 * Invariant: at most `blobsMax` entries; when it is full the least urgent one makes room or the new one is not taken:
 * the next census finds it again. Pure data structure; the worker takes entries out.
 */
export class RepairBacklog {
  readonly #blobsMax: number
  readonly #urgencies = new Map<string, number>()
  /** Blob ids by urgency, oldest first; ids that are no longer waiting at that urgency are skipped when taken. */
  readonly #queues = new Map<number, Set<string>>()

  constructor(blobsMax: number) {
    this.#blobsMax = blobsMax
  }

  get size(): number {
    return this.#urgencies.size
  }

  /** Adds a blob, or changes its urgency. */
  add(blobId: string, urgency: number): void {
    this.remove(blobId)
    if (this.size >= this.#blobsMax) {
      const least = Math.max(...this.#queues.keys())
      if (urgency >= least) return
      const [victim] = this.#queues.get(least) ?? []
      if (victim !== undefined) this.remove(victim)
    }
    this.#urgencies.set(blobId, urgency)
    const queue = this.#queues.get(urgency)
    if (queue === undefined) this.#queues.set(urgency, new Set([blobId]))
    else queue.add(blobId)
  }

  remove(blobId: string): void {
    const urgency = this.#urgencies.get(blobId)
    if (urgency === undefined) return
    this.#urgencies.delete(blobId)
    const queue = this.#queues.get(urgency)
    queue?.delete(blobId)
    if (queue?.size === 0) this.#queues.delete(urgency)
  }

  /** Takes the most urgent blob out. */
  take(): string | undefined {
    if (this.size === 0) return undefined
    const [blobId] = this.#queues.get(Math.min(...this.#queues.keys())) ?? []
    if (blobId !== undefined) this.remove(blobId)
    return blobId
  }

  clear(): void {
    this.#urgencies.clear()
    this.#queues.clear()
  }
}
