/** Randomness of the simulators: one seed, one sequence. */
import type { Random } from '../../node/world.ts'

/** Draws that fault plans and workloads need, over mulberry32. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  hex(count: number): string {
    let text = ''
    for (let at = 0; at < count; at += 1) text += this.below(256).toString(16).padStart(2, '0')
    return text
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.float() * count)
  }

  between(min: number, max: number): number {
    return min + this.float() * (max - min)
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
}
