/**
 * What an order of a network's terms costs in loads and stores, counted without writing steps down: the inner loop
 * of the search for tuned programs.
 *
 * Invariant: counts exactly what assignRegisters (xor-registers.ts) would need for the program that it returns; a
 * change there is a change here (test/unit/codec-search.test.ts).
 */

import type { XorNetwork } from '../xor-chain.ts'
import type { XorProgram } from '../xor-program.ts'

const NEVER = 0x7fffffff
/** As in xor-registers.ts. */
const CLEAN_ADVANTAGE = 6

/** Of one network; events are its terms, node by node. Allocates nothing while it counts. */
export class AccessCounter {
  readonly #network: XorNetwork
  readonly #registers: number
  readonly #termOf: Int32Array
  readonly #nodeOf: Int32Array
  readonly #sizes: Int32Array
  readonly #stored: Uint8Array
  /** Of the program made of the order: operands of sum i, and whether it is stored at once. */
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #isOutput: Uint8Array
  #sums = 0
  readonly #running: Int32Array
  readonly #taken: Int32Array
  /** Next use of a word after the addition at hand, and what it becomes at each read. */
  readonly #next: Int32Array
  readonly #nextOfLeft: Int32Array
  readonly #nextOfRight: Int32Array
  readonly #nextOfSum: Int32Array
  readonly #state: Uint8Array
  readonly #held: Int32Array
  #heldCount = 0
  #loads = 0
  #stores = 0

  constructor(network: XorNetwork, registers: number) {
    const { inputs, nodes, outputs } = network
    this.#network = network
    this.#registers = registers
    this.#termOf = Int32Array.from(nodes.flat())
    this.#nodeOf = Int32Array.from(nodes.flatMap((terms, node) => terms.map(() => node)))
    this.#sizes = Int32Array.from(nodes, (terms) => terms.length)
    this.#stored = new Uint8Array(nodes.length)
    for (const word of outputs) {
      if (word < inputs || this.#stored[word - inputs] === 1)
        throw new RangeError('an output is no node of its own')
      this.#stored[word - inputs] = 1
    }
    const count = this.#termOf.length
    this.#left = new Int32Array(count)
    this.#right = new Int32Array(count)
    this.#isOutput = new Uint8Array(count)
    this.#running = new Int32Array(nodes.length)
    this.#taken = new Int32Array(nodes.length)
    this.#next = new Int32Array(inputs + count)
    this.#nextOfLeft = new Int32Array(count)
    this.#nextOfRight = new Int32Array(count)
    this.#nextOfSum = new Int32Array(count)
    this.#state = new Uint8Array(inputs + count)
    this.#held = new Int32Array(registers)
  }

  /** Loads and stores when terms are added in the order `events`, a node's first ones before their sum is used. */
  count(events: Int32Array): number {
    this.#writeSums(events)
    this.#findUses()
    this.#state.fill(0)
    this.#state.fill(IN_MEMORY, 0, this.#network.inputs)
    this.#heldCount = 0
    this.#loads = 0
    this.#stores = 0
    for (let sum = 0; sum < this.#sums; sum++) this.#add(sum)
    return this.#loads + this.#stores
  }

  /** The network's program in that order. */
  program(events: Int32Array): XorProgram {
    this.#writeSums(events)
    const { inputs, outputs } = this.#network
    const sums = Array.from(
      { length: this.#sums },
      (_, sum) => [this.#left[sum] ?? 0, this.#right[sum] ?? 0] as const,
    )
    return { inputs, sums, outputs: outputs.map((word) => [this.#running[word - inputs] ?? 0]) }
  }

  /** Two-word sums in the order of the events: a node's first term waits for its second. */
  #writeSums(events: Int32Array): void {
    const { inputs } = this.#network
    this.#taken.fill(0)
    let sums = 0
    for (let position = 0; position < events.length; position++) {
      const event = events[position] ?? 0
      const node = this.#nodeOf[event] ?? 0
      const term = this.#termOf[event] ?? 0
      const word = term < inputs ? term : (this.#running[term - inputs] ?? 0)
      const taken = (this.#taken[node] ?? 0) + 1
      this.#taken[node] = taken
      if (taken === 1) {
        this.#running[node] = word
        continue
      }
      this.#left[sums] = this.#running[node] ?? 0
      this.#right[sums] = word
      this.#isOutput[sums] = taken === this.#sizes[node] ? (this.#stored[node] ?? 0) : 0
      this.#running[node] = inputs + sums
      sums++
    }
    this.#sums = sums
  }

  /** From the end: the position of each word's next use at each of its reads. A store takes a position as well. */
  #findUses(): void {
    const { inputs } = this.#network
    const next = this.#next.fill(NEVER)
    let position = 2 * this.#sums
    for (let sum = this.#sums - 1; sum >= 0; sum--) {
      if (this.#isOutput[sum] === 1) position--
      this.#nextOfSum[sum] = next[inputs + sum] ?? NEVER
      position--
      const [left, right] = [this.#left[sum] ?? 0, this.#right[sum] ?? 0]
      this.#nextOfLeft[sum] = next[left] ?? NEVER
      this.#nextOfRight[sum] = next[right] ?? NEVER
      next[left] = position
      next[right] = position
    }
  }

  #add(sum: number): void {
    const word = this.#network.inputs + sum
    const [left, right] = [this.#left[sum] ?? 0, this.#right[sum] ?? 0]
    this.#next[left] = this.#nextOfLeft[sum] ?? NEVER
    this.#next[right] = this.#nextOfRight[sum] ?? NEVER
    const first = this.#fetch(left, { left, right, mustLoad: false })
    this.#fetch(right, { left, right, mustLoad: !first })
    this.#dropIfDead(left)
    this.#dropIfDead(right)
    this.#makeRoom(left, right)
    this.#next[word] = this.#nextOfSum[sum] ?? NEVER
    this.#hold(word)
    if (this.#isOutput[sum] !== 1) return
    this.#stores++
    this.#dropIfDead(word)
  }

  #fetch(word: number, pair: { left: number; right: number; mustLoad: boolean }): boolean {
    if (this.#is(word, IN_REGISTER)) return true
    this.#loads++
    if (!pair.mustLoad && !this.#worthHolding(word, pair)) return false
    this.#makeRoom(pair.left, pair.right)
    this.#hold(word)
    return true
  }

  #worthHolding(word: number, { left, right }: { left: number; right: number }): boolean {
    const next = this.#next[word] ?? NEVER
    if (next === NEVER) return false
    if (this.#heldCount < this.#registers - 1) return true
    for (let index = 0; index < this.#heldCount; index++) {
      const held = this.#held[index] ?? 0
      if (held === left || held === right || !this.#is(held, IN_MEMORY)) continue
      if ((this.#next[held] ?? 0) > next) return true
    }
    return false
  }

  #makeRoom(left: number, right: number): void {
    if (this.#heldCount < this.#registers) return
    let victim = -1
    let latest = -1
    for (let index = 0; index < this.#heldCount; index++) {
      const word = this.#held[index] ?? 0
      if (word === left || word === right) continue
      const score = (this.#next[word] ?? 0) + (this.#is(word, IN_MEMORY) ? CLEAN_ADVANTAGE : 0)
      if (score > latest) [victim, latest] = [word, score]
    }
    if (!this.#is(victim, IN_MEMORY)) {
      this.#stores++
      this.#state[victim] = (this.#state[victim] ?? 0) | IN_MEMORY
    }
    this.#release(victim)
  }

  #is(word: number, bit: number): boolean {
    return ((this.#state[word] ?? 0) & bit) !== 0
  }

  #hold(word: number): void {
    this.#state[word] = (this.#state[word] ?? 0) | IN_REGISTER
    this.#held[this.#heldCount++] = word
  }

  #release(word: number): void {
    this.#state[word] = (this.#state[word] ?? 0) & ~IN_REGISTER
    let at = 0
    while (this.#held[at] !== word) at++
    this.#heldCount--
    for (; at < this.#heldCount; at++) this.#held[at] = this.#held[at + 1] ?? 0
  }

  #dropIfDead(word: number): void {
    if (this.#next[word] === NEVER && this.#is(word, IN_REGISTER)) this.#release(word)
  }
}

const IN_REGISTER = 1
const IN_MEMORY = 2
