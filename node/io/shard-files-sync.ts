/**
 * Two small disciplines of the shard store: one directory fsync for all who wait for it, and one writer per shard.
 */

/**
 * Group commit of directory fsyncs. Invariant: a caller's promise settles with an fsync that *began* after its call,
 * so the entry that it made before is covered.
 */
export class DirectorySync {
  readonly #sync: (path: string) => Promise<void>
  /** Per directory: the fsync under way and the one that will begin when it ends. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #waiting = new Map<string, Promise<void>>()

  constructor(sync: (path: string) => Promise<void>) {
    this.#sync = sync
  }

  /** Resolves when entries made in `path` before the call are durable; rejects as the fsync did. */
  sync(path: string): Promise<void> {
    const running = this.#running.get(path)
    if (running === undefined) return this.#start(path)
    const waiting = this.#waiting.get(path)
    if (waiting !== undefined) return waiting
    const next = running
      // The next round does not depend on how this one ended: those who waited for it have been told.
      .catch(() => undefined)
      .then(() => {
        this.#waiting.delete(path)
        return this.#start(path)
      })
    this.#waiting.set(path, next)
    return next
  }

  #start(path: string): Promise<void> {
    const run = this.#sync(path).finally(() => {
      if (this.#running.get(path) === run) this.#running.delete(path)
    })
    this.#running.set(path, run)
    return run
  }
}

/** Runs tasks of one name one after the other, of different names side by side. */
export class NamedLocks {
  readonly #tails = new Map<string, Promise<unknown>>()

  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name)
    // A failed predecessor has told its own caller; it does not concern the next one.
    const mine = before === undefined ? task() : before.then(task, task)
    this.#tails.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#tails.get(name) === mine) this.#tails.delete(name)
    }
  }
}
