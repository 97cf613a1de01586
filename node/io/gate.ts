/**
 * A gate that callers wait at until it opens, they lose patience, or they are told to give up.
 *
 * Invariant: every waiter leaves once, and leaves nothing behind (timer, listener). How many wait is bounded by who
 * lets them come.
 */
export class Gate {
  #waiting = new Set<() => void>()

  get waiting(): number {
    return this.#waiting.size
  }

  /** Lets everyone through who waits now. */
  open(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  /** Resolves at the next `open`; rejects with `late()` after `timeoutMs`, or with the signal's reason. */
  wait(options: { timeoutMs: number; late: () => Error; signal?: AbortSignal | undefined }): Promise<void> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal))
      const leave = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
        this.#waiting.delete(wake)
      }
      const wake = () => {
        leave()
        resolve()
      }
      const aborted = () => {
        leave()
        reject(abortError(signal))
      }
      const timer = setTimeout(() => {
        leave()
        reject(options.late())
      }, options.timeoutMs)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiting.add(wake)
    })
  }
}

/** What a cancelled call rejects with: the reason its owner gave. */
export function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : new Error('call was cancelled', { cause: reason })
}
