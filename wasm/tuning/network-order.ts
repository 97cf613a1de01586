/**
 * The order in which a network's terms are added, annealed for few loads and stores at a given number of registers.
 *
 * Where xor-order.ts moves priorities, for a few milliseconds at run time, this moves single additions in the
 * permutation itself and counts memory accesses without writing steps down: some hundred times as many tries.
 *
 * Invariant: the program that comes out computes the network. Its sums stand in the order of their execution, and
 * each output is one word, stored as soon as it is known (numberedPriorities in
 * xor-order.ts).
 */

import type { XorNetwork } from '../xor-chain.ts'
import type { XorProgram } from '../xor-program.ts'
import { AccessCounter } from './access-counter.ts'
import { wordNumbers } from './xor-search.ts'

export interface NetworkAnnealing {
  readonly registers: number
  readonly steps: number
  /** Numbers in [0, 1). */
  readonly random: () => number
  /** Temperatures in memory accesses. */
  readonly hottest: number
  /** A program for the same matrix whose order to begin with, instead of that in which inputs arrive. */
  readonly like?: XorProgram
}

export interface OrderedNetwork {
  readonly program: XorProgram
  /** Loads and stores, as assignRegisters counts them. */
  readonly accesses: number
}

const COLDEST = 0.12

/** Anneals the order of the network's terms. */
export function orderNetwork(network: XorNetwork, options: NetworkAnnealing): OrderedNetwork {
  const { steps, random, hottest } = options
  const order = new TermOrder(network, options.like ? wishesLike(options.like) : (_, term) => term)
  const counter = new AccessCounter(network, options.registers)
  let current = counter.count(order.events)
  let best = current
  let bestEvents = order.events.slice()
  for (let step = 0; step < steps; step++) {
    const temperature = hottest * (COLDEST / hottest) ** (step / steps)
    const move = order.randomMove(random)
    if (move.to === move.from) continue
    order.move(move)
    const next = counter.count(order.events)
    if (next <= current || random() < Math.exp((current - next) / temperature)) {
      current = next
      if (next < best) {
        best = next
        bestEvents = order.events.slice()
      }
    } else {
      order.move({ ...move, from: move.to, to: move.from })
    }
  }
  return { program: counter.program(bestEvents), accesses: best }
}

/** When a term is to join a node, by the node's name; the term is an input, or minus the name of another node. */
type Wish = (node: number, term: number) => number

/** As in `program`; terms that it does not have join when their input is first used, or as soon as they can. */
function wishesLike(program: XorProgram): Wish {
  const { inputs, sums } = program
  const numbers = wordNumbers(program)
  const wishes = new Map<string, number>()
  const firstUses = new Map<number, number>()
  sums.forEach((pair, sum) => {
    for (const word of pair) {
      const term = word < inputs ? word : -(numbers[word] ?? 0)
      wishes.set(`${numbers[inputs + sum]} ${term}`, sum)
      if (word < inputs && !firstUses.has(word)) firstUses.set(word, sum)
    }
  })
  return (node, term) => wishes.get(`${node} ${term}`) ?? firstUses.get(term) ?? -1
}

/** A permutation of the network's terms, each an event, in which a node is complete before it is a term. */
class TermOrder {
  readonly events: Int32Array
  readonly #positions: Int32Array
  /** Per event: the events that must come before it, and those that must come after. */
  readonly #before: Int32Array[]
  readonly #after: Int32Array[]

  constructor({ inputs, nodes, names }: XorNetwork, wish: Wish) {
    const eventsOf: number[][] = []
    const usersOf: number[][] = nodes.map(() => [])
    const termOf: number[] = []
    nodes.forEach((terms, node) => {
      eventsOf[node] = terms.map((word) => {
        const event = termOf.push(word) - 1
        if (word >= inputs) usersOf[word - inputs]?.push(event)
        return event
      })
    })
    this.#before = termOf.map((word) => Int32Array.from(word < inputs ? [] : (eventsOf[word - inputs] ?? [])))
    this.#after = nodes.flatMap((terms, node) => terms.map(() => Int32Array.from(usersOf[node] ?? [])))
    const arrival = new Float64Array(termOf.length)
    nodes.forEach((_, node) => {
      for (const event of eventsOf[node] ?? []) {
        const word = termOf[event] ?? 0
        const ready = this.#before[event]?.reduce(
          (latest, other) => Math.max(latest, arrival[other] ?? 0),
          -1,
        )
        const wished =
          word < inputs ? wish(names[node] ?? 0, word) : wish(names[node] ?? 0, -(names[word - inputs] ?? 0))
        arrival[event] = Math.max(wished, (ready ?? -1) + 0.001)
      }
    })
    this.events = Int32Array.from(arrival.keys()).sort((a, b) => (arrival[a] ?? 0) - (arrival[b] ?? 0))
    this.#positions = new Int32Array(termOf.length)
    this.events.forEach((event, position) => {
      this.#positions[event] = position
    })
  }

  /** Some events in a row, mostly one, to anywhere that they may go, or near. */
  randomMove(random: () => number): RowMove {
    const { events } = this
    const from = Math.floor(random() * events.length)
    const most = random() < SINGLE_SHARE ? 1 : 2 + Math.floor(random() * (ROW_MAX - 1))
    const length = Math.min(most, events.length - from)
    const [low, high] = this.#window(from, length)
    if (random() < 0.5) return { from, length, to: low + Math.floor(random() * (high - low + 1)) }
    const reach = Math.round((random() - 0.5) * 2 * REACH)
    return { from, length, to: Math.min(high, Math.max(low, from + reach)) }
  }

  move({ from, to, length }: RowMove): void {
    const { events } = this
    const [first, end] = [Math.min(from, to), Math.max(from, to) + length]
    if (length === 1) {
      const step = to > from ? 1 : -1
      const event = events[from] ?? 0
      for (let at = from; at !== to; at += step) this.#put(events[at + step] ?? 0, at)
      this.#put(event, to)
      return
    }
    const row = events.slice(from, from + length)
    if (to > from) events.copyWithin(from, from + length, end)
    else events.copyWithin(to + length, to, from)
    events.set(row, to)
    for (let position = first; position < end; position++) {
      this.#positions[events[position] ?? 0] = position
    }
  }

  #put(event: number, position: number): void {
    this.events[position] = event
    this.#positions[event] = position
  }

  /** The first and the last position to which the events from `from` on may move together. */
  #window(from: number, length: number): readonly [number, number] {
    const positions = this.#positions
    const end = from + length
    let low = 0
    let high = this.events.length
    for (let position = from; position < end; position++) {
      const event = this.events[position] ?? 0
      for (const other of this.#before[event] ?? NONE) {
        const at = positions[other] ?? 0
        if (at < from && at >= low) low = at + 1
      }
      for (const other of this.#after[event] ?? NONE) {
        const at = positions[other] ?? 0
        if (at >= end && at < high) high = at
      }
    }
    return [low, high - length]
  }
}

/** `length` events from position `from` on come to stand from position `to` on. */
interface RowMove {
  readonly from: number
  readonly to: number
  readonly length: number
}

const NONE = new Int32Array()
/** Of the moves: how many are of a single event, the longest row, the farthest that counts as near. */
const SINGLE_SHARE = 0.7
const ROW_MAX = 10
const REACH = 12
