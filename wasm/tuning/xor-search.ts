/**
 * The long search for networks of few XORs, of which tune-programs.ts makes tuned programs: forgets a part of a
 * chain (xor-chain.ts) and finds it anew, again and again.
 *
 * Invariant: every network computes the matrix; everything random comes from an argument.
 */
import {
  type ChainTask,
  columnNumbers,
  completeChain,
  KnownNumbers,
  pruneChain,
  reverseChain,
  takeSums,
  type XorNetwork,
} from '../xor-chain.ts'
import type { XorProgram } from '../xor-program.ts'

export interface NetworkSearch {
  /** Times that a part of the program is forgotten and found anew. */
  readonly rounds: number
  /** Numbers in [0, 1). */
  readonly random: () => number
  /** Called with every network that is no worse than the best before it. */
  readonly found: (network: XorNetwork) => void
}

/** Looks for networks of `rows` (input indices per output) with fewer and fewer XORs. */
export function searchNetworks(
  rows: readonly (readonly number[])[],
  inputs: number,
  { rounds, random, found }: NetworkSearch,
): void {
  const bits = rows.length
  const targets = columnNumbers(rows, inputs)
  let values: readonly number[] = []
  let most = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const forgotten = FORGOTTEN_LEAST + (FORGOTTEN_MOST - FORGOTTEN_LEAST) * random() ** 2
    const known = new KnownNumbers(bits)
    takeSums(
      known,
      values.filter(() => random() > forgotten),
    )
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const next = completeChain(known.copy(), { targets, most, ...randomTaste(random) })
      if (!next) continue
      const chain = pruneChain(next, { targets, bits, random })
      values = chain.values.slice(bits)
      most = chain.values.length
      found(reverseChain(chain, targets, bits))
    }
  }
}

/** Share of a chain that is forgotten in a round, and completions that are tried of what was kept. */
const FORGOTTEN_LEAST = 0.03
const FORGOTTEN_MOST = 0.7
const ATTEMPTS = 4

/**
 * A network much like `program`, which computes `rows`: some sums are forgotten and found anew, or made in another
 * way. Undefined when that took more than `slack` XORs more.
 */
export function varyNetwork(
  rows: readonly (readonly number[])[],
  program: XorProgram,
  { forgotten, slack, random }: NetworkVariation,
): XorNetwork | undefined {
  const bits = rows.length
  const targets = columnNumbers(rows, program.inputs)
  const values = chainNumbers(program)
  const known = new KnownNumbers(bits)
  takeSums(
    known,
    values.filter(() => random() > forgotten),
  )
  const most = bits + values.length + slack
  const next = completeChain(known, { targets, most, ...randomTaste(random) })
  return next && reverseChain(pruneChain(next, { targets, bits, random }), targets, bits)
}

export interface NetworkVariation {
  /** Share of the sums; with 0 only the ways in which they are made may change. */
  readonly forgotten: number
  readonly slack: number
  /** Numbers in [0, 1). */
  readonly random: () => number
}

/** The number of each word in the transposed matrix: bit i for each time, modulo 2, that it enters output i. */
export function wordNumbers({ inputs, sums, outputs }: XorProgram): Int32Array {
  const numbers = new Int32Array(inputs + sums.length)
  outputs.forEach((words, output) => {
    for (const word of words) numbers[word] = (numbers[word] ?? 0) ^ (1 << output)
  })
  for (let sum = sums.length - 1; sum >= 0; sum--) {
    for (const word of sums[sum] ?? []) numbers[word] = (numbers[word] ?? 0) ^ (numbers[inputs + sum] ?? 0)
  }
  return numbers
}

/** What a chain for the transposed matrix needs beyond the units when it reverses `program`, in order. */
function chainNumbers(program: XorProgram): readonly number[] {
  const { inputs, sums, outputs } = program
  const numbers = wordNumbers(program)
  const uses: number[][] = Array.from(numbers, () => [])
  outputs.forEach((words, output) => {
    for (const word of words) uses[word]?.push(1 << output)
  })
  const found = new Set<number>()
  for (let word = numbers.length - 1; word >= 0; word--) {
    let sum = 0
    for (const use of uses[word] ?? []) {
      sum ^= use
      if ((sum & (sum - 1)) !== 0) found.add(sum)
    }
    for (const used of sums[word - inputs] ?? []) uses[used]?.push(sum)
  }
  return [...found]
}

/** Looking at a few targets finds as few sums as looking at all, and other ones; so do choices that are not best. */
function randomTaste(random: () => number): Pick<ChainTask, 'near' | 'noise' | 'finish' | 'random'> {
  const near = random() < 0.4 ? Number.POSITIVE_INFINITY : NEAR_LEAST + Math.floor(random() * NEAR_MORE)
  return { near, noise: random() < 0.5 ? 0 : 1.2, finish: random() < 0.5, random }
}

const NEAR_LEAST = 3
const NEAR_MORE = 16
