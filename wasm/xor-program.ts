/**
 * From a matrix over GF(2^w) to few XORs: the bit matrix and its common subexpressions.
 *
 * Invariant: a program computes exactly the bit matrix it was made from, over any words. Words are numbered:
 * inputs first (w per source, bit 0 first), then the sums in order, each of two words numbered before it.
 */
import type { BinaryField } from './field.ts'
import { entryAt, type Matrix } from './matrix.ts'

export interface XorProgram {
  readonly inputs: number
  /** Sum i is word `inputs + i` and equals the XOR of two earlier words. */
  readonly sums: readonly (readonly [number, number])[]
  /** The words whose XOR is output i; empty for an output that is always zero. */
  readonly outputs: readonly (readonly number[])[]
}

/** Input indices of each output bit. Bit l of c*x is the XOR of bit l of c*2^b over the set bits b of x. */
export function bitRows(field: BinaryField, matrix: Matrix): number[][] {
  const { width } = field
  const rows: number[][] = []
  for (let row = 0; row < matrix.rows; row++) {
    for (let bit = 0; bit < width; bit++) {
      const ones: number[] = []
      for (let column = 0; column < matrix.columns; column++) {
        const entry = entryAt(matrix, row, column)
        for (let power = 0; power < width; power++) {
          if ((field.multiply(entry, 1 << power) >> bit) & 1) ones.push(column * width + power)
        }
      }
      rows.push(ones)
    }
  }
  return rows
}

/**
 * Greedy common-subexpression elimination: again and again gives a name to the pair of words that most outputs
 * share (C. Paar, Optimized Arithmetic for Reed-Solomon Encoders, ISIT 1997).
 *
 * Pairs wait in buckets by an upper bound of their count and are counted only when popped: naming a pair only
 * ever lowers the counts of others, so a pair that still has its bucket's count is a true maximum.
 */
export function shareSums(rows: readonly (readonly number[])[], inputs: number): XorProgram {
  const columns = new OutputSets(rows, inputs)
  const sums: [number, number][] = []
  const buckets: number[][] = Array.from({ length: rows.length + 1 }, () => [])
  const file = (left: number, right: number): void => {
    const shared = columns.sharedCount(left, right)
    if (shared >= 2) buckets[shared]?.push(left * WORDS_MAX + right)
  }
  for (let left = 0; left < inputs; left++)
    for (let right = left + 1; right < inputs; right++) file(left, right)
  for (let count = buckets.length - 1; count >= 2; count--) {
    for (let pair = buckets[count]?.pop(); pair !== undefined; pair = buckets[count]?.pop()) {
      const right = pair % WORDS_MAX
      const left = (pair - right) / WORDS_MAX
      if (columns.sharedCount(left, right) < count) {
        file(left, right)
        continue
      }
      const word = columns.takeShared(left, right)
      sums.push([left, right])
      for (let other = 0; other < word; other++) file(other, word)
    }
  }
  return { inputs, sums, outputs: rows.map((_, output) => columns.wordsOf(output)) }
}

/** More than any map has: 32 shards of 5 words, and the sums that their outputs can share. A pair fits 30 bits. */
const WORDS_MAX = 32_768

/** For each word the set of outputs that contain it, as bits: one flat array, because pairs are compared by the thousand. */
class OutputSets {
  readonly #stride: number
  readonly #bits: number[]

  constructor(rows: readonly (readonly number[])[], inputs: number) {
    this.#stride = (rows.length + 31) >>> 5
    this.#bits = new Array<number>(inputs * this.#stride).fill(0)
    rows.forEach((row, output) => {
      for (const input of row) {
        const at = input * this.#stride + (output >>> 5)
        this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (output & 31))
      }
    })
  }

  /** Outputs that contain both words. */
  sharedCount(left: number, right: number): number {
    let count = 0
    for (let index = 0; index < this.#stride; index++) {
      let bits =
        (this.#bits[left * this.#stride + index] ?? 0) & (this.#bits[right * this.#stride + index] ?? 0)
      if (bits === 0) continue
      bits -= (bits >>> 1) & 0x55555555
      bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
      count += (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
    }
    return count
  }

  /** Moves the outputs that contain both words from them to a new word, and returns that. */
  takeShared(left: number, right: number): number {
    for (let index = 0; index < this.#stride; index++) {
      const [atLeft, atRight] = [left * this.#stride + index, right * this.#stride + index]
      const both = (this.#bits[atLeft] ?? 0) & (this.#bits[atRight] ?? 0)
      this.#bits[atLeft] = (this.#bits[atLeft] ?? 0) ^ both
      this.#bits[atRight] = (this.#bits[atRight] ?? 0) ^ both
      this.#bits.push(both)
    }
    return this.#bits.length / this.#stride - 1
  }

  /** In ascending order. */
  wordsOf(output: number): number[] {
    const words: number[] = []
    for (let at = output >>> 5; at < this.#bits.length; at += this.#stride)
      if (((this.#bits[at] ?? 0) >>> (output & 31)) & 1) words.push((at - (output >>> 5)) / this.#stride)
    return words
  }
}

/** The program that feeds the outputs of `inner` to the inputs of `outer`. */
export function composePrograms(inner: XorProgram, outer: XorProgram): XorProgram {
  const sums: (readonly [number, number])[] = [...inner.sums]
  const add = (left: number, right: number): number => inner.inputs + sums.push([left, right]) - 1
  const arrival = arrivals(inner)
  const fed = inner.outputs.map((terms) => {
    // In the order in which inputs arrive, so that one running word waits instead of many terms.
    const [first, ...rest] = [...terms].sort((a, b) => (arrival[a] ?? 0) - (arrival[b] ?? 0))
    if (first === undefined) throw new RangeError('an output that is always zero cannot be fed on')
    return rest.reduce(add, first)
  })
  const words = [...fed]
  const wordOf = (word: number): number => words[word] ?? 0
  for (const [left, right] of outer.sums) words.push(add(wordOf(left), wordOf(right)))
  return { inputs: inner.inputs, sums, outputs: outer.outputs.map((terms) => terms.map(wordOf)) }
}

/** Whether the outputs of `program` are exactly `rows`: input indices of each, as from bitRows. */
export function computesRows(program: XorProgram, rows: readonly (readonly number[])[]): boolean {
  // A word as the set of its inputs, a bit each; a sum of unknown words is unknown.
  const words: (bigint | undefined)[] = Array.from(
    { length: program.inputs },
    (_, input) => 1n << BigInt(input),
  )
  const sumOf = (terms: readonly number[]): bigint | undefined =>
    terms.reduce<bigint | undefined>((sum, term) => {
      const word = words[term]
      return sum === undefined || word === undefined ? undefined : sum ^ word
    }, 0n)
  for (const pair of program.sums) words.push(sumOf(pair))
  return (
    rows.length === program.outputs.length &&
    program.outputs.every((terms, output) => sumOf(terms) === sumOf(rows[output] ?? []))
  )
}

/**
 * A program whose outputs are one word each as text: base64 of little-endian 16-bit numbers, how many outputs,
 * their words, then both words of every sum.
 */
export function packProgram({ sums, outputs }: XorProgram): string {
  const numbers = Uint16Array.from([outputs.length, ...outputs.flat(), ...sums.flat()])
  const bytes = Buffer.alloc(2 * numbers.length)
  for (const [index, number] of numbers.entries()) bytes.writeUInt16LE(number, 2 * index)
  return bytes.toString('base64')
}

/** The inverse of packProgram for a program of `inputs` inputs; what it computes is for the caller to check. */
export function unpackProgram(text: string, inputs: number): XorProgram {
  const bytes = Buffer.from(text, 'base64')
  const number = (index: number): number => bytes.readUInt16LE(2 * index)
  const outputs = Array.from({ length: number(0) }, (_, output) => [number(1 + output)])
  const sumsFrom = 1 + outputs.length
  const sums = Array.from({ length: (bytes.length / 2 - sumsFrom) >> 1 }, (_, sum) => {
    const at = sumsFrom + 2 * sum
    return [number(at), number(at + 1)] as const
  })
  return { inputs, sums, outputs }
}

/** For each word the last input that it waits for, when inputs are read in order. */
export function arrivals({ inputs, sums }: XorProgram): Float64Array {
  const arrival = new Float64Array(inputs + sums.length)
  for (let input = 0; input < inputs; input++) arrival[input] = input
  sums.forEach(([left, right], sum) => {
    arrival[inputs + sum] = Math.max(arrival[left] ?? 0, arrival[right] ?? 0) + 0.01
  })
  return arrival
}

/** XORs that a program costs: one per sum, and one less than its terms per output. */
export function xorCount(program: XorProgram): number {
  return program.outputs.reduce((sum, terms) => sum + Math.max(0, terms.length - 1), program.sums.length)
}
