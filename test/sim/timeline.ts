/** Virtual time: a queue of things that happen, in order of their moment and, at one moment, of their making. */

interface Happening {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class Timeline {
  now = 0
  readonly #heap: Happening[] = []
  #order = 0

  /** Runs `run` after `delayMs` of virtual time. The returned function cancels it. */
  after(delayMs: number, run: () => void): () => void {
    let cancelled = false
    this.#order += 1
    this.#push({ at: this.now + Math.max(0, delayMs), order: this.#order, run: () => cancelled || run() })
    return () => {
      cancelled = true
    }
  }

  /** Lets the next thing happen if it is due by `untilMs`. Returns false when nothing is. */
  step(untilMs: number): boolean {
    const next = this.#heap[0]
    if (next === undefined || next.at > untilMs) {
      this.now = Math.max(this.now, untilMs)
      return false
    }
    this.#pop()
    this.now = next.at
    next.run()
    return true
  }

  /** Lets everything happen that is due by `untilMs`. */
  runUntil(untilMs: number): void {
    while (this.step(untilMs));
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let at = heap.push(happening) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    for (let at = 0; ; ) {
      let least = at
      if (this.#before(2 * at + 1, least)) least = 2 * at + 1
      if (this.#before(2 * at + 2, least)) least = 2 * at + 2
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a], this.#heap[b]]
    if (left === undefined || right === undefined) return false
    return left.at === right.at ? left.order < right.order : left.at < right.at
  }

  #swap(a: number, b: number): void {
    const [left, right] = [this.#heap[a], this.#heap[b]]
    if (left === undefined || right === undefined) return
    this.#heap[a] = right
    this.#heap[b] = left
  }
}
