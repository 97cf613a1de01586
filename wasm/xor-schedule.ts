/**
 * The order in which an XOR program is computed, so that few words are alive at once.
 *
 * Invariant: steps compute the same outputs as the program, every value before its use, every output stored once.
 * Engines since V8 12 keep this order, and a value that finds no register costs a store and a load: the order is
 * what decides the speed of codes with more outputs than registers.
 */
import type { XorProgram } from './xor-program.ts'

/** Values are numbered in the order of their definition; each is defined once. */
export type Step =
  | { readonly op: 'load'; readonly value: number; readonly input: number }
  | { readonly op: 'xor'; readonly value: number; readonly left: number; readonly right: number }
  | { readonly op: 'store'; readonly output: number; readonly value: number }
  | { readonly op: 'zero'; readonly output: number }

/**
 * Inputs in order; whatever an input makes computable is computed at once, into one running sum per output.
 */
export function scheduleEagerly(program: XorProgram): Step[] {
  return new EagerScheduler(program).run()
}

class EagerScheduler {
  readonly #program: XorProgram
  readonly #steps: Step[] = []
  /** Sums that read a word, and outputs that it is a term of. */
  readonly #sumsOf = new Map<number, number[]>()
  readonly #outputsOf = new Map<number, number[]>()
  readonly #valueOf = new Map<number, number>()
  readonly #runningSums: (number | undefined)[]
  readonly #termsLeft: number[]
  #values = 0

  constructor(program: XorProgram) {
    this.#program = program
    this.#runningSums = program.outputs.map(() => undefined)
    this.#termsLeft = program.outputs.map((terms) => terms.length)
    program.sums.forEach((words, sum) => {
      for (const word of words) append(this.#sumsOf, word, sum)
    })
    program.outputs.forEach((terms, output) => {
      for (const word of terms) append(this.#outputsOf, word, output)
      if (terms.length === 0) this.#steps.push({ op: 'zero', output })
    })
  }

  run(): Step[] {
    for (let input = 0; input < this.#program.inputs; input++) {
      if (!this.#sumsOf.has(input) && !this.#outputsOf.has(input)) continue
      const value = this.#values++
      this.#steps.push({ op: 'load', value, input })
      this.#arrive(input, value)
    }
    return this.#steps
  }

  #arrive(word: number, value: number): void {
    this.#valueOf.set(word, value)
    for (const sum of this.#sumsOf.get(word) ?? []) {
      const [left, right] = this.#program.sums[sum] ?? [word, word]
      const leftValue = this.#valueOf.get(left)
      const rightValue = this.#valueOf.get(right)
      if (leftValue === undefined || rightValue === undefined) continue
      this.#arrive(this.#program.inputs + sum, this.#xor(leftValue, rightValue))
    }
    for (const output of this.#outputsOf.get(word) ?? []) this.#accumulate(output, value)
  }

  #accumulate(output: number, value: number): void {
    const running = this.#runningSums[output]
    const sum = running === undefined ? value : this.#xor(running, value)
    this.#runningSums[output] = sum
    const left = (this.#termsLeft[output] ?? 0) - 1
    this.#termsLeft[output] = left
    if (left === 0) this.#steps.push({ op: 'store', output, value: sum })
  }

  #xor(left: number, right: number): number {
    const value = this.#values++
    this.#steps.push({ op: 'xor', value, left, right })
    return value
  }
}

function append(map: Map<number, number[]>, key: number, item: number): void {
  const items = map.get(key)
  if (items) items.push(item)
  else map.set(key, [item])
}
