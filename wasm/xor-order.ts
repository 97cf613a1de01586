/**
 * The order in which the additions of an XOR program happen: a search for one that keeps few words alive.
 *
 * Invariant: an order is a permutation of the program's events in which every sum comes before its uses. It decides
 * speed, never the result: outputs are XORs, and XOR commutes.
 */
import { arrivals, type XorProgram } from './xor-program.ts'
import { xorshift } from './xorshift.ts'

/**
 * One addition: `sums[i]` becomes known, or one term joins an output. Events are numbered: sums first, then the
 * terms of output 0, of output 1 and so on.
 */
export interface XorEvents {
  readonly program: XorProgram
  /** Output of a term event, -1 for a sum event. */
  readonly outputOf: Int32Array
  /** The word that a term event adds; unused for sums. */
  readonly termOf: Int32Array
  /** Events that wait for event i: successors[successorsFrom[i]] up to successorsFrom[i + 1]. */
  readonly successorsFrom: Int32Array
  readonly successors: Int32Array
  /** Number of events that an event waits for. */
  readonly waits: Int32Array
}

export function eventsOf(program: XorProgram): XorEvents {
  const { inputs, sums, outputs } = program
  const terms = outputs.flatMap((words, output) => words.map((word) => ({ output, word })))
  const count = sums.length + terms.length
  const outputOf = new Int32Array(count).fill(-1)
  const termOf = new Int32Array(count)
  const followers: number[][] = Array.from({ length: count }, () => [])
  const waits = new Int32Array(count)
  const after = (event: number, word: number): void => {
    if (word < inputs) return
    followers[word - inputs]?.push(event)
    waits[event] = (waits[event] ?? 0) + 1
  }
  sums.forEach((words, sum) => {
    for (const word of words) after(sum, word)
  })
  terms.forEach(({ output, word }, index) => {
    const event = sums.length + index
    outputOf[event] = output
    termOf[event] = word
    after(event, word)
  })
  const successorsFrom = new Int32Array(count + 1)
  followers.forEach((list, event) => {
    successorsFrom[event + 1] = (successorsFrom[event] ?? 0) + list.length
  })
  return { program, outputOf, termOf, successorsFrom, successors: Int32Array.from(followers.flat()), waits }
}

/** Urgency of each event when inputs arrive in order and everything is added as soon as it can be. */
export function eagerPriorities(events: XorEvents): Float64Array {
  const { inputs } = events.program
  const arrival = arrivals(events.program)
  return Float64Array.from(events.outputOf, (output, event) =>
    output < 0 ? (arrival[inputs + event] ?? 0) : (arrival[events.termOf[event] ?? 0] ?? 0) + 0.02,
  )
}

/** Urgency of each event when sums come in the order of their numbers and a term right after its word. */
export function numberedPriorities({ program, outputOf, termOf }: XorEvents): Float64Array {
  return Float64Array.from(outputOf, (output, event) =>
    output < 0 ? event : (termOf[event] ?? 0) - program.inputs + 0.5,
  )
}

/** The topological order that always takes the event of lowest priority among those that wait for nothing. */
export function orderBy(events: XorEvents, priorities: Float64Array): Int32Array {
  const { successorsFrom, successors } = events
  const waits = events.waits.slice()
  const heap = new EventHeap(priorities)
  waits.forEach((count, event) => {
    if (count === 0) heap.push(event)
  })
  const order = new Int32Array(waits.length)
  for (let position = 0; position < order.length; position++) {
    const event = heap.pop()
    order[position] = event
    for (let index = successorsFrom[event] ?? 0; index < (successorsFrom[event + 1] ?? 0); index++) {
      const follower = successors[index] ?? 0
      const left = (waits[follower] ?? 0) - 1
      waits[follower] = left
      if (left === 0) heap.push(follower)
    }
  }
  return order
}

export interface OrderSearch {
  readonly steps: number
  readonly seed: number
  /** What an order costs; lower is better. */
  readonly cost: (order: Int32Array) => number
}

/**
 * Simulated annealing over priorities: moves one event next to another, or a little. Deterministic for a seed.
 * Every state is a valid order, because priorities only choose among events that are ready.
 */
export function searchOrder(events: XorEvents, { steps, seed, cost }: OrderSearch): Int32Array {
  const random = xorshift(seed)
  const priorities = eagerPriorities(events)
  const pick = (): number => Math.floor(random() * priorities.length)
  let order = orderBy(events, priorities)
  let best = order
  let current = cost(order)
  let bestCost = current
  for (let step = 0; step < steps; step++) {
    const temperature = HOTTEST * (1 - step / steps) + COLDEST
    const event = pick()
    const before = priorities[event] ?? 0
    const target = random() < 0.5 ? (priorities[pick()] ?? 0) : before
    const reach = target === before ? 0.3 * events.program.inputs : 0.1
    priorities[event] = target + (random() - 0.5) * reach
    order = orderBy(events, priorities)
    const next = cost(order)
    if (next <= current || random() < Math.exp((current - next) / temperature)) {
      current = next
      if (next < bestCost) [best, bestCost] = [order, next]
    } else {
      priorities[event] = before
    }
  }
  return best
}

/** Temperatures in units of cost, a memory access: tuned on 8+4 and 12+4. */
const HOTTEST = 3
const COLDEST = 0.05

/** A binary heap of events, lowest priority first. */
class EventHeap {
  readonly #priorities: Float64Array
  readonly #heap: number[] = []

  constructor(priorities: Float64Array) {
    this.#priorities = priorities
  }

  push(event: number): void {
    let at = this.#heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): number {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) throw new RangeError('the events form a cycle')
    if (this.#heap.length === 0) return first
    this.#heap[0] = last
    for (let at = 0; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#before(child, least)) least = child
      }
      if (least === at) return first
      this.#swap(at, least)
      at = least
    }
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a] ?? 0, this.#heap[b] ?? 0]
    return (this.#priorities[left] ?? 0) < (this.#priorities[right] ?? 0)
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] ?? 0
    this.#heap[a] = this.#heap[b] ?? 0
    this.#heap[b] = held
  }
}
