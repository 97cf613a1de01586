/**
 * Programs of few XORs for a bit matrix of at most some twenty rows, by a search that is too slow for run time.
 *
 * The search runs on the transposed matrix, whose words are numbers of one bit per row: so few that a table holds
 * for every number how many known words it is the sum of. That makes the heuristic of Boyar and Peralta (A New
 * Combinational Logic Minimization Technique, SEA 2010), which allows for cancellation, cheap and exact. Reversing
 * every edge of a program for the transposed matrix gives one for the matrix itself, with as many XORs plus inputs
 * less outputs (Tellegen's principle).
 *
 * Invariant: every network returned computes the matrix; everything random comes from the argument.
 */

/** Words: inputs first, then node i as `inputs + i`; a node is the XOR of two or more words, in any order. */
export interface XorNetwork {
  readonly inputs: number
  /** In an order in which every node comes after those that it uses. */
  readonly nodes: readonly (readonly number[])[]
  /** The word that is output i. */
  readonly outputs: readonly number[]
}

/** Known numbers of the transposed matrix in order: units, then sums; `pairs` holds what the sums are made of. */
interface Chain {
  readonly values: readonly number[]
  readonly pairs: readonly (readonly [number, number])[]
}

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
  const targets = columnNumbers(rows, inputs)
  const bits = rows.length
  const start = completeChain(new KnownNumbers(bits), { targets, most: Number.POSITIVE_INFINITY, random })
  if (!start) throw new Error('a chain without a bound was not completed')
  let chain = pruneChain(start, targets, bits)
  for (let round = 0; round < rounds; round++) {
    const forgotten = FORGOTTEN_LEAST + (FORGOTTEN_MOST - FORGOTTEN_LEAST) * random() ** 2
    const known = new KnownNumbers(bits)
    takeSums(
      known,
      chain.values.slice(bits).filter(() => random() > forgotten),
    )
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const next = completeChain(known.copy(), { targets, most: chain.values.length, random })
      if (!next) continue
      chain = pruneChain(next, targets, bits)
      found(reverseChain(chain, targets, bits))
    }
  }
}

/** Share of a chain that is forgotten in a round, and completions that are tried of what was kept. */
const FORGOTTEN_LEAST = 0.03
const FORGOTTEN_MOST = 0.7
const ATTEMPTS = 4

/** XORs of a network. */
export function networkXors({ nodes }: XorNetwork): number {
  return nodes.reduce((sum, terms) => sum + terms.length - 1, 0)
}

/** Column c of the matrix as a number: bit r is set when row r contains input c. */
function columnNumbers(rows: readonly (readonly number[])[], inputs: number): Int32Array {
  const numbers = new Int32Array(inputs)
  rows.forEach((row, index) => {
    for (const input of row) numbers[input] = (numbers[input] ?? 0) | (1 << index)
  })
  return numbers
}

/** Makes known what of `values` is the sum of two known numbers, also of such that become known by that. */
function takeSums(known: KnownNumbers, values: readonly number[]): void {
  for (let waiting = values; waiting.length > 0; ) {
    const next = waiting.filter((value) => !known.takeSum(value))
    if (next.length === waiting.length) return
    waiting = next
  }
}

interface ChainTask {
  readonly targets: Int32Array
  /** Numbers known in the end, at most. */
  readonly most: number
  readonly random: () => number
}

/** Goes on greedily until every target is known; undefined when that takes too many numbers. */
function completeChain(known: KnownNumbers, { targets, most, random }: ChainTask): KnownNumbers | undefined {
  for (let missing = targets; ; ) {
    missing = missing.filter((target) => known.terms(target) > 1)
    if (missing.length === 0) return known
    if (known.values.length + new Set(missing).size > most) return undefined
    const easy = missing.filter((target) => known.terms(target) === 2)
    const pick = easy[Math.floor(random() * easy.length)]
    known.takeSum(pick ?? bestSum(known, missing, random))
  }
}

/** The sum of two known numbers that brings most targets closer; on a tie it prefers to leave the near ones nearer. */
function bestSum(known: KnownNumbers, missing: Int32Array, random: () => number): number {
  const { values, table } = known
  const goals = missing.map((target) => (table[target] ?? 0) - 2)
  const tried = known.freshMarks()
  const noise = random() < 0.5 ? 0 : 1.2
  let best = -1
  let bestScore = -1
  for (let left = 1; left < values.length; left++) {
    for (let right = 0; right < left; right++) {
      const sum = (values[left] ?? 0) ^ (values[right] ?? 0)
      if (tried[sum] === 1) continue
      tried[sum] = 1
      let score = 0
      for (let index = 0; index < missing.length; index++) {
        const goal = goals[index] ?? 0
        if (table[(missing[index] ?? 0) ^ sum] === goal) score += 1 + NEARNESS / (goal + 1)
      }
      if (score === 0) continue
      score += random() * (0.02 + noise)
      if (score > bestScore) [best, bestScore] = [sum, score]
    }
  }
  return best
}

/** What a target that is nearly there counts more. */
const NEARNESS = 0.1

/** The numbers of a chain so far, and for every number how many of them it is the sum of, at least. */
class KnownNumbers {
  readonly values: number[]
  readonly table: Uint8Array
  readonly #bits: number
  readonly #marks: Uint8Array

  constructor(bits: number, from?: KnownNumbers) {
    this.#bits = bits
    this.#marks = new Uint8Array(1 << bits)
    this.values = from?.values.slice() ?? Array.from({ length: bits }, (_, bit) => 1 << bit)
    this.table = from?.table.slice() ?? new Uint8Array(1 << bits)
    if (from) return
    for (let number = 1; number < this.table.length; number++) {
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
    const { table } = this
    if (table[value] !== 2) return false
    this.values.push(value)
    // Pairs whose sum is the value, each once: those without its highest bit, and their partners with it.
    const half = 1 << (31 - Math.clz32(value))
    for (let base = 0; base < table.length; base += 2 * half) {
      for (let number = base; number < base + half; number++) {
        const other = number ^ value
        const near = table[number] ?? 0
        const far = table[other] ?? 0
        if (far + 1 < near) table[number] = far + 1
        else if (near + 1 < far) table[other] = near + 1
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

/** Leaves out what no target needs and finds for every sum a pair of earlier numbers. */
function pruneChain({ values }: KnownNumbers, targets: Int32Array, bits: number): Chain {
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
    const wanted = ([first, second]: readonly [number, number]): number =>
      Number(needed.has(first) || (place.get(first) ?? 0) < bits) +
      Number(needed.has(second) || (place.get(second) ?? 0) < bits)
    const pair = pairs.reduce((best, next) => (wanted(next) > wanted(best) ? next : best))
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
function reverseChain({ values, pairs }: Chain, targets: Int32Array, bits: number): XorNetwork {
  const inputs = targets.length
  const terms: number[][] = values.map(() => [])
  const place = new Map(values.map((value, index) => [value, index]))
  targets.forEach((target, input) => {
    terms[place.get(target) ?? 0]?.push(input)
  })
  const nodes: number[][] = []
  const outputs: number[] = []
  for (let index = values.length - 1; index >= 0; index--) {
    const sum = terms[index] ?? []
    const word = sum.length === 1 ? (sum[0] ?? 0) : inputs + nodes.push(sum) - 1
    for (const used of pairs[index - bits] ?? []) terms[used]?.push(word)
    if (index < bits) outputs[index] = word
  }
  return { inputs, nodes, outputs }
}
