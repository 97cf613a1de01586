/**
 * The erasure pattern that a pool met last, and its kernel: found again without making a key.
 *
 * Invariant: holds copies, so a caller may change its arrays; equal means equal item by item.
 */
import type { Kernel } from './engine.ts'
import type { ReconstructOptions } from './stripe-pool.ts'

/** The erasure pattern met last: a rebuild meets one pattern for thousands of stripes and allocates nothing for it. */
export class LastPattern {
  #present: readonly boolean[] | undefined
  #wanted: readonly number[] | undefined
  #kernel: Kernel | undefined

  get kernel(): Kernel | undefined {
    return this.#kernel
  }

  isLast({ present, wanted }: ReconstructOptions): boolean {
    return sameItems(present, this.#present) && (wanted === this.#wanted || sameItems(wanted, this.#wanted))
  }

  /** Copies the pattern: the caller may change its arrays. */
  remember({ present, wanted }: ReconstructOptions, kernel: Kernel | undefined): void {
    this.#present = [...present]
    this.#wanted = wanted && [...wanted]
    this.#kernel = kernel
  }
}

function sameItems<Item>(left: readonly Item[] | undefined, right: readonly Item[] | undefined): boolean {
  if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
