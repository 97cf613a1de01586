/**
 * Programs of few XORs with cancellation, by way of the transposed bit matrix.
 *
 * A number has one bit per row of the matrix; the columns are the numbers to make from the units, and a chain is a
 * list of numbers, each the sum of two before it. There are so few numbers that a table holds for each of how many
 * known ones it is the sum. That makes the heuristic of Boyar and Peralta (A New Combinational Logic Minimization
 * Technique, SEA 2010) cheap and exact. Reversing every edge of a chain gives a network for the matrix itself, with
 * as many XORs plus inputs less outputs (Tellegen's principle).
 *
 * Invariant: a network computes the matrix; everything random comes from an argument. Tables have 2^rows bytes, so
 * this is for some twenty rows at most.
 */

import type { XorProgram } from './xor-program.ts'
import { xorshift } from './xorshift.ts'

/** Words: inputs first, then node i as `inputs + i`; a node is the XOR of two or more words, in any order. */
export interface XorNetwork {
  readonly inputs: number
  /** In an order in which every node comes after those that it uses. */
  readonly nodes: readonly (readonly number[])[]
  /** Of each node its number in the transposed matrix, bit i for output i, which names it in other networks too. */
  readonly names: readonly number[]
  /** The word that is output i, or NO_WORD when it is always zero. */
  readonly outputs: readonly number[]
}

export const NO_WORD = -1

/** Known numbers of the transposed matrix in order: units, then sums; `pairs` holds what the sums are made of. */
export interface Chain {
  readonly values: readonly number[]
  readonly pairs: readonly (readonly [number, number])[]
}

/** A program for `rows` (input indices per output) from one greedy chain, the same every time. */
export function cancelSums(rows: readonly (readonly number[])[], inputs: number): XorProgram {
  const [targets, bits, random] = [columnNumbers(rows, inputs), rows.length, xorshift(1)]
  const task = {
    targets,
    most: Number.POSITIVE_INFINITY,
    near: NEAR,
    noise: 0,
    finish: true,
    random,
  }
  const known = completeChain(new KnownNumbers(bits), task)
  if (!known) throw new Error('a chain without a bound was not completed')
  return networkProgram(reverseChain(pruneChain(known, { targets, bits, random }), targets, bits))
}

/** Few are fast, and need no more XORs than all. */
const NEAR = 6

/** Nodes that others use become sums, their terms in the order in which inputs arrive; the rest are outputs. */
function networkProgram({ inputs, nodes, outputs }: XorNetwork): XorProgram {
  const sums: (readonly [number, number])[] = []
  const shared = new Set(nodes.flat())
  const words: number[] = Array.from({ length: inputs }, (_, input) => input)
  const arrival = words.slice()
  nodes.forEach((terms, node) => {
    if (!shared.has(inputs + node)) return
    const [first, ...rest] = inArrival(terms)
    words[inputs + node] = rest.reduce(
      (sum, term) => inputs + sums.push([sum, words[term] ?? 0]) - 1,
      words[first ?? 0] ?? 0,
    )
    arrival[inputs + node] = arrival[rest.at(-1) ?? 0] ?? 0
  })
  function inArrival(terms: readonly number[]): number[] {
    return terms.toSorted((a, b) => (arrival[a] ?? 0) - (arrival[b] ?? 0))
  }
  return {
    inputs,
    sums,
    outputs: outputs.map((word) => {
      if (word === NO_WORD) return []
      const own = words[word]
      return own === undefined ? (nodes[word - inputs] ?? []).map((term) => words[term] ?? 0) : [own]
    }),
  }
}

/** XORs of a network. */
export function networkXors({ nodes }: XorNetwork): number {
  return nodes.reduce((sum, terms) => sum + terms.length - 1, 0)
}

/** Column c of the matrix as a number: bit r is set when row r contains input c. */
export function columnNumbers(rows: readonly (readonly number[])[], inputs: number): Int32Array {
  const numbers = new Int32Array(inputs)
  rows.forEach((row, index) => {
    for (const input of row) numbers[input] = (numbers[input] ?? 0) | (1 << index)
  })
  return numbers
}

/** Makes known what of `values` is the sum of two known numbers, also of such that become known by that. */
export function takeSums(known: KnownNumbers, values: readonly number[]): void {
  for (let waiting = values; waiting.length > 0; ) {
    const next = waiting.filter((value) => !known.takeSum(value))
    if (next.length === waiting.length) return
    waiting = next
  }
}

export interface ChainTask {
  readonly targets: Int32Array
  /** Numbers known in the end, at most. */
  readonly most: number
  /** Missing targets that a step looks at, those that are nearly there first. */
  readonly near: number
  /** Up to how many targets a sum may be worse than the best and yet be taken. */
  readonly noise: number
  /** Whether to go for targets that are sums of three known numbers before all others: much faster. */
  readonly finish: boolean
  readonly random: () => number
}

/** Goes on greedily until every target is known; undefined when that takes too many numbers. */
export function completeChain(known: KnownNumbers, task: ChainTask): KnownNumbers | undefined {
  const { targets, most, near, random } = task
  for (let missing = targets; ; ) {
    missing = missing.filter((target) => known.terms(target) > 1)
    if (missing.length === 0) return known
    if (known.values.length + new Set(missing).size > most) return undefined
    const easy = missing.filter((target) => known.terms(target) === 2)
    const pick = easy[Math.floor(random() * easy.length)]
    known.takeSum(pick ?? bestSum(known, nearest(known, missing, near), task))
  }
}

function nearest(known: KnownNumbers, missing: Int32Array, count: number): Int32Array {
  if (missing.length <= count) return missing
  return missing.toSorted((a, b) => known.terms(a) - known.terms(b)).subarray(0, count)
}

/** The sum of two known numbers that brings most targets closer; on a tie it prefers to leave the near ones nearer. */
function bestSum(known: KnownNumbers, missing: Int32Array, { noise, finish, random }: ChainTask): number {
  const { values, table } = known
  const goals = missing.map((target) => (table[target] ?? 0) - 2)
  const tried = known.freshMarks()
  let best = -1
  let bestScore = -1
  const rate = (sum: number): void => {
    if (tried[sum] === 1) return
    tried[sum] = 1
    let score = 0
    for (let index = 0; index < missing.length; index++) {
      const goal = goals[index] ?? 0
      if (table[(missing[index] ?? 0) ^ sum] === goal) score += 1 + NEARNESS / (goal + 1)
    }
    if (score === 0) return
    score += random() * (TIES + noise)
    if (score <= bestScore) return
    best = sum
    bestScore = score
  }
  if (finish && goals.includes(1)) {
    // Of a target that is the sum of three known numbers, each of these leaves a sum of two.
    missing.forEach((target, index) => {
      if (goals[index] !== 1) return
      for (const value of values) if (table[target ^ value] === 2) rate(target ^ value)
    })
    return best
  }
  for (let left = 1; left < values.length; left++) {
    for (let right = 0; right < left; right++) rate((values[left] ?? 0) ^ (values[right] ?? 0))
  }
  return best
}

/** What a target that is nearly there counts more, and what decides between equals. */
const NEARNESS = 0.1
const TIES = 0.02

/** The numbers of a chain so far, and for every number how many of them it is the sum of, at least. */
export class KnownNumbers {
  readonly values: number[]
  readonly table: Uint8Array
  /** The table, four numbers at a time. */
  readonly #quads: Int32Array
  readonly #bits: number
  readonly #marks: Uint8Array

  constructor(bits: number, from?: KnownNumbers) {
    this.#bits = bits
    this.#marks = new Uint8Array(1 << bits)
    this.values = from?.values.slice() ?? Array.from({ length: bits }, (_, bit) => 1 << bit)
    this.table = from?.table.slice() ?? new Uint8Array(Math.max(4, 1 << bits))
    this.#quads = new Int32Array(this.table.buffer)
    if (from) return
    for (let number = 1; number < 1 << bits; number++) {
      this.table[number] = (this.table[number >>> 1] ?? 0) + (number & 1)
    }
  }

  copy(): KnownNumbers {
    return new KnownNumbers(this.#bits, this)
  }

  terms(number: number): number {
    return this.table[number] ?? 0
  }

  /** Makes a number known that is the sum of two known ones; false for any other. */
  takeSum(value: number): boolean {
    if (this.table[value] !== 2) return false
    this.values.push(value)
    const quads = this.#quads
    const far = value >>> 2
    if (far === 0) {
      for (let at = 0; at < quads.length; at++) {
        const quad = quads[at] ?? 0
        quads[at] = fewerOrOneMore(quad, moveBytes(quad, value))
      }
      return true
    }
    // Pairs of quads whose numbers' sums are the value, each once: those without its highest bit, and their partners.
    const half = 1 << (31 - Math.clz32(far))
    for (let base = 0; base < quads.length; base += 2 * half) {
      for (let at = base; at < base + half; at++) {
        const quad = quads[at] ?? 0
        const other = moveBytes(quads[at ^ far] ?? 0, value)
        // Bytes of 1 to 3 where the two differ by one at most, as nearly all do in the end: nothing to do.
        const apart = ((quad | 0x80808080) - other - 0x7e7e7e7e) | 0
        if ((apart & 0xfcfcfcfc) === 0 && ((apart | (apart >>> 1)) & 0x01010101) === 0x01010101) continue
        quads[at] = fewerOrOneMore(quad, other)
        quads[at ^ far] = moveBytes(fewerOrOneMore(other, quad), value)
      }
    }
    return true
  }

  /** One mark per number, set for those known and for zero. */
  freshMarks(): Uint8Array {
    this.#marks.fill(0)
    this.#marks[0] = 1
    for (const value of this.values) this.#marks[value] = 1
    return this.#marks
  }
}

/** Bytes 0 to 3 of `quad` at places 0 to 3 XOR `value`. */
function moveBytes(quad: number, value: number): number {
  const paired = value & 1 ? ((quad & 0x00ff00ff) << 8) | ((quad >>> 8) & 0x00ff00ff) : quad
  return value & 2 ? (paired << 16) | (paired >>> 16) : paired
}

/** Byte by byte the lesser of `terms` and `others` + 1; all are below 127. */
function fewerOrOneMore(terms: number, others: number): number {
  const more = others + 0x01010101
  const isMore = ((terms | 0x80808080) - more) & 0x80808080
  const lesser = (isMore << 1) - (isMore >>> 7)
  return (more & lesser) | (terms & ~lesser)
}

/** Leaves out what no target needs and finds for every sum a pair of earlier numbers. */
export function pruneChain(
  { values }: KnownNumbers,
  {
    targets,
    bits,
    random,
  }: { readonly targets: Int32Array; readonly bits: number; readonly random: () => number },
): Chain {
  const needed = new Set<number>(targets)
  const place = new Map(values.map((value, index) => [value, index]))
  const pairOf = new Map<number, readonly [number, number]>()
  for (let index = values.length - 1; index >= bits; index--) {
    const value = values[index] ?? 0
    if (!needed.has(value)) continue
    const pairs: (readonly [number, number])[] = []
    for (let left = 0; left < index; left++) {
      const [first, second] = [values[left] ?? 0, (values[left] ?? 0) ^ value]
      const right = place.get(second)
      if (right !== undefined && right < left) pairs.push([first, second])
    }
    // What is there in any case costs nothing; otherwise any will do.
    const isThere = (number: number): number => Number(needed.has(number) || (place.get(number) ?? 0) < bits)
    const rated = pairs.map((pair) => ({ pair, rate: isThere(pair[0]) + isThere(pair[1]) + random() }))
    const { pair } = rated.reduce((best, next) => (next.rate > best.rate ? next : best))
    pairOf.set(value, pair)
    for (const number of pair) needed.add(number)
  }
  const kept = values.filter((value, index) => index < bits || pairOf.has(value))
  const at = new Map(kept.map((value, index) => [value, index]))
  const pairs = kept.slice(bits).map((value): readonly [number, number] => {
    const [left, right] = pairOf.get(value) ?? [0, 0]
    return [at.get(left) ?? 0, at.get(right) ?? 0]
  })
  return { values: kept, pairs }
}

/** The network of the matrix from a chain of its transpose: every number sums up what it was used for. */
export function reverseChain({ values, pairs }: Chain, targets: Int32Array, bits: number): XorNetwork {
  const inputs = targets.length
  const terms: number[][] = values.map(() => [])
  const place = new Map(values.map((value, index) => [value, index]))
  targets.forEach((target, input) => {
    const at = place.get(target)
    if (at !== undefined) terms[at]?.push(input)
  })
  const nodes: number[][] = []
  const names: number[] = []
  const outputs: number[] = []
  for (let index = values.length - 1; index >= 0; index--) {
    const sum = terms[index] ?? []
    let word = sum[0] ?? NO_WORD
    if (sum.length > 1) {
      word = inputs + nodes.push(sum) - 1
      names.push(values[index] ?? 0)
    }
    for (const used of pairs[index - bits] ?? []) terms[used]?.push(word)
    if (index < bits) outputs[index] = word
  }
  return { inputs, nodes, names, outputs }
}
