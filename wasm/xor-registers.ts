/**
 * Registers for an ordered XOR program: which words are in one, which are read from memory, which are spilled.
 *
 * Invariant: the steps compute the program, in the order given, with at most `registers` words in registers between
 * any two steps. V8's compilers keep this order, so a program that respects the machine's registers is never
 * spilled by them, and every load and store in it was counted here.
 */
import type { XorEvents } from './xor-order.ts'

/** Words: inputs, then sums, as in the program; then one accumulator per output. */
export interface Operand {
  readonly word: number
  /** Otherwise it is read from memory, where inputs always are and spilled words since their spill. */
  readonly inRegister: boolean
}

export type Step =
  | { readonly op: 'load'; readonly word: number }
  | { readonly op: 'spill'; readonly word: number }
  /** The word's register is free from here on; an addition that follows at once may still read it. */
  | { readonly op: 'drop'; readonly word: number }
  | { readonly op: 'xor'; readonly word: number; readonly left: Operand; readonly right: Operand }
  | { readonly op: 'store'; readonly output: number; readonly word: number }
  | { readonly op: 'zero'; readonly output: number }

export interface RegisterPlan {
  readonly steps: readonly Step[]
  readonly loads: number
  /** Spills and final stores. */
  readonly stores: number
}

const NEVER = 0x7fffffff
/** A clean word costs no store to evict, so it goes first unless a dirty one is used this many steps later. */
const CLEAN_ADVANTAGE = 6

/** Assigns registers along `order`, evicting what is used last (L. Belady, 1966) with a preference for clean words. */
export function assignRegisters(events: XorEvents, order: Int32Array, registers: number): RegisterPlan {
  return new RegisterAssignment(events, order, registers).run()
}

class RegisterAssignment {
  readonly #events: XorEvents
  readonly #order: Int32Array
  readonly #registers: number
  readonly #accumulators: number
  readonly #steps: Step[] = []
  /** Positions at which a word is read: uses[usesFrom[word] .. usesFrom[word + 1]); #nextUse walks through them. */
  readonly #uses: Int32Array
  readonly #usesFrom: Int32Array
  readonly #nextUse: Int32Array
  readonly #inRegister: Uint8Array
  readonly #inMemory: Uint8Array
  readonly #held: number[] = []
  /** Terms that an output has taken; its first term stands for it until the second comes. */
  readonly #taken: Int32Array
  readonly #firstTerm: Int32Array
  #loads = 0
  #stores = 0

  constructor(events: XorEvents, order: Int32Array, registers: number) {
    const { inputs, sums, outputs } = events.program
    this.#events = events
    this.#order = order
    this.#registers = registers
    this.#accumulators = inputs + sums.length
    const words = this.#accumulators + outputs.length
    this.#inRegister = new Uint8Array(words)
    this.#inMemory = new Uint8Array(words).fill(1, 0, inputs)
    this.#taken = new Int32Array(outputs.length)
    this.#firstTerm = new Int32Array(outputs.length)
    this.#usesFrom = new Int32Array(words + 1)
    this.#uses = this.#collectUses()
    this.#nextUse = this.#usesFrom.slice(0, words)
  }

  run(): RegisterPlan {
    const { program, outputOf, termOf } = this.#events
    program.outputs.forEach((terms, output) => {
      if (terms.length > 0) return
      this.#stores++
      this.#steps.push({ op: 'zero', output })
    })
    for (let position = 0; position < this.#order.length; position++) {
      const event = this.#order[position] ?? 0
      const output = outputOf[event] ?? 0
      if (output < 0) {
        const [left, right] = program.sums[event] ?? [0, 0]
        this.#add(program.inputs + event, left, right)
      } else {
        this.#takeTerm(output, termOf[event] ?? 0)
      }
    }
    return { steps: this.#steps, loads: this.#loads, stores: this.#stores }
  }

  /** Two reads per sum; one per term, at its event; one per addition to a running output. */
  #collectUses(): Int32Array {
    const { program, outputOf, termOf } = this.#events
    const reads: [number, number][] = []
    const seen = new Uint8Array(program.outputs.length)
    for (let position = 0; position < this.#order.length; position++) {
      const event = this.#order[position] ?? 0
      const output = outputOf[event] ?? 0
      if (output < 0) {
        for (const word of program.sums[event] ?? []) reads.push([word, position])
        continue
      }
      reads.push([termOf[event] ?? 0, position])
      if (seen[output] === 1) reads.push([this.#accumulators + output, position])
      seen[output] = 1
    }
    for (const [word] of reads) this.#usesFrom[word + 1] = (this.#usesFrom[word + 1] ?? 0) + 1
    for (let word = 1; word < this.#usesFrom.length; word++) {
      this.#usesFrom[word] = (this.#usesFrom[word] ?? 0) + (this.#usesFrom[word - 1] ?? 0)
    }
    const fill = this.#usesFrom.slice()
    const uses = new Int32Array(reads.length)
    for (const [word, position] of reads) {
      const at = fill[word] ?? 0
      uses[at] = position
      fill[word] = at + 1
    }
    return uses
  }

  #takeTerm(output: number, term: number): void {
    const taken = (this.#taken[output] ?? 0) + 1
    this.#taken[output] = taken
    const accumulator = this.#accumulators + output
    const all = this.#events.program.outputs[output]?.length ?? 0
    if (taken === 1 && all > 1) {
      // Its use stays pending: the word is read when the second term arrives.
      this.#firstTerm[output] = term
      return
    }
    if (all === 1) {
      if (this.#inRegister[term] !== 1) this.#load(term, [])
      this.#read(term)
      this.#finish(output, term)
      this.#dropIfDead(term)
      return
    }
    if (taken === 2) this.#read(accumulator)
    this.#add(accumulator, term, taken === 2 ? (this.#firstTerm[output] ?? 0) : accumulator)
    if (taken === all) {
      this.#finish(output, accumulator)
      this.#release(accumulator)
    }
  }

  #add(word: number, left: number, right: number): void {
    this.#read(left)
    this.#read(right)
    const pair = [left, right]
    const first = this.#fetch(left, pair, false)
    const second = this.#fetch(right, pair, !first)
    // Operands that die free their registers before the result takes one: the addition may reuse them.
    for (const operand of pair) this.#dropIfDead(operand)
    if (this.#inRegister[word] !== 1) {
      this.#makeRoom(pair)
      this.#hold(word)
    }
    this.#inMemory[word] = 0
    this.#steps.push({
      op: 'xor',
      word,
      left: { word: left, inRegister: first },
      right: { word: right, inRegister: second },
    })
  }

  /** Brings an operand into a register unless it is better read from memory; false when it stays there. */
  #fetch(word: number, keep: readonly number[], mustLoad: boolean): boolean {
    if (this.#inRegister[word] === 1) return true
    if (!mustLoad && !this.#worthHolding(word, keep)) {
      this.#loads++
      return false
    }
    this.#load(word, keep)
    return true
  }

  #worthHolding(word: number, keep: readonly number[]): boolean {
    const next = this.#next(word)
    if (next === NEVER) return false
    if (this.#held.length < this.#registers - 1) return true
    return this.#held.some(
      (held) => !keep.includes(held) && this.#inMemory[held] === 1 && this.#next(held) > next,
    )
  }

  #load(word: number, keep: readonly number[]): void {
    this.#loads++
    this.#makeRoom(keep)
    this.#hold(word)
    this.#steps.push({ op: 'load', word })
  }

  #makeRoom(keep: readonly number[]): void {
    while (this.#held.length >= this.#registers) {
      let victim = -1
      let latest = -1
      for (const word of this.#held) {
        if (keep.includes(word)) continue
        const score = this.#next(word) + (this.#inMemory[word] === 1 ? CLEAN_ADVANTAGE : 0)
        if (score > latest) [victim, latest] = [word, score]
      }
      if (this.#next(victim) !== NEVER && this.#inMemory[victim] !== 1) {
        this.#stores++
        this.#inMemory[victim] = 1
        this.#steps.push({ op: 'spill', word: victim })
      }
      this.#release(victim)
    }
  }

  #finish(output: number, word: number): void {
    this.#stores++
    this.#steps.push({ op: 'store', output, word })
  }

  #hold(word: number): void {
    this.#inRegister[word] = 1
    this.#held.push(word)
  }

  #release(word: number): void {
    this.#inRegister[word] = 0
    this.#held.splice(this.#held.indexOf(word), 1)
    this.#steps.push({ op: 'drop', word })
  }

  #dropIfDead(word: number): void {
    if (this.#inRegister[word] === 1 && this.#next(word) === NEVER) this.#release(word)
  }

  /** Position of the word's next read. */
  #next(word: number): number {
    const at = this.#nextUse[word] ?? 0
    return at < (this.#usesFrom[word + 1] ?? 0) ? (this.#uses[at] ?? NEVER) : NEVER
  }

  #read(word: number): void {
    this.#nextUse[word] = (this.#nextUse[word] ?? 0) + 1
  }
}
