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
  const stride = (rows.length + 31) >>> 5
  const columns: Int32Array[] = Array.from({ length: inputs }, () => new Int32Array(stride))
  rows.forEach((row, index) => {
    for (const input of row) {
      const column = columns[input]
      if (column) column[index >>> 5] = (column[index >>> 5] ?? 0) | (1 << (index & 31))
    }
  })
  const sums: [number, number][] = []
  const buckets: [number, number][][] = Array.from({ length: rows.length + 1 }, () => [])
  const file = (left: number, right: number): void => {
    const shared = sharedCount(columns[left], columns[right])
    if (shared >= 2) buckets[shared]?.push([left, right])
  }
  for (let left = 0; left < inputs; left++)
    for (let right = left + 1; right < inputs; right++) file(left, right)
  for (let count = buckets.length - 1; count >= 2; count--) {
    for (let pair = buckets[count]?.pop(); pair; pair = buckets[count]?.pop()) {
      const [left, right] = pair
      if (sharedCount(columns[left], columns[right]) < count) {
        file(left, right)
        continue
      }
      const word = columns.push(takeShared(columns[left], columns[right], stride)) - 1
      sums.push([left, right])
      for (let other = 0; other < word; other++) file(other, word)
    }
  }
  const outputs = rows.map((_, index) =>
    columns.flatMap((column, word) => (((column[index >>> 5] ?? 0) >>> (index & 31)) & 1 ? [word] : [])),
  )
  return { inputs, sums, outputs }
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

function sharedCount(left: Int32Array | undefined, right: Int32Array | undefined): number {
  let count = 0
  if (!left || !right) return count
  for (let index = 0; index < left.length; index++) {
    let bits = (left[index] ?? 0) & (right[index] ?? 0)
    bits -= (bits >>> 1) & 0x55555555
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
    count += (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
  }
  return count
}

/** Removes from both columns the outputs that they share, and returns those. */
function takeShared(left: Int32Array | undefined, right: Int32Array | undefined, stride: number): Int32Array {
  const shared = new Int32Array(stride)
  if (!left || !right) return shared
  for (let index = 0; index < stride; index++) {
    const both = (left[index] ?? 0) & (right[index] ?? 0)
    shared[index] = both
    left[index] = (left[index] ?? 0) ^ both
    right[index] = (right[index] ?? 0) ^ both
  }
  return shared
}
