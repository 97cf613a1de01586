/**
 * The slow, obvious Reed-Solomon: one symbol at a time, multiplication by shift and add, no tables, no WASM.
 *
 * Invariant: shares no arithmetic and no layout code with the engines; only the generator matrix is common, and
 * that one is held by golden vectors. Used by the self-test at process start and by the tests.
 */
import type { Code } from './code.ts'
import { entryAt } from './matrix.ts'

/** Product in GF(2)[x] modulo `polynomial` of degree `width`. */
export function slowMultiply(
  a: number,
  b: number,
  field: { readonly width: number; readonly polynomial: number },
): number {
  let product = 0
  for (let bit = field.width - 1; bit >= 0; bit--) {
    product <<= 1
    if (product >> field.width) product ^= field.polynomial
    if ((b >> bit) & 1) product ^= a
  }
  return product
}

/** x^4 + x + 1, x^5 + x^2 + 1, x^8 + x^4 + x^3 + x^2 + 1. */
const POLYNOMIAL_OF_WIDTH: Readonly<Record<Code['width'], number>> = {
  4: 0b10011,
  5: 0b100101,
  8: 0b100011101,
}

/**
 * Cells of the shards in `rows`, from all data cells of one length.
 * vandermonde-11d: a symbol is a byte. cauchy-xor: a block is `width` packets of 32 bytes, and symbol s of a block
 * has its bit b at bit s of packet b (little-endian bit order within the packet).
 */
export function slowShards(code: Code, data: readonly Uint8Array[], rows: readonly number[]): Buffer[] {
  const length = data[0]?.length ?? 0
  const field = { width: code.width, polynomial: POLYNOMIAL_OF_WIDTH[code.width] }
  const symbols = code.spec.code === 'vandermonde-11d' ? byteSymbols : slicedSymbols
  const { count, read, write } = symbols(code.width, length)
  return rows.map((row) => {
    const cell = Buffer.alloc(length)
    for (let index = 0; index < count; index++) {
      let sum = 0
      data.forEach((source, column) => {
        sum ^= slowMultiply(entryAt(code.generator, row, column), read(source, index), field)
      })
      write(cell, index, sum)
    }
    return cell
  })
}

interface SymbolLayout {
  readonly count: number
  read(cell: Uint8Array, index: number): number
  write(cell: Uint8Array, index: number, symbol: number): void
}

function byteSymbols(_width: number, length: number): SymbolLayout {
  return {
    count: length,
    read: (cell, index) => cell[index] ?? 0,
    write: (cell, index, symbol) => {
      cell[index] = symbol
    },
  }
}

function slicedSymbols(width: number, length: number): SymbolLayout {
  const symbolsPerBlock = 256
  const place = (index: number, bit: number): { byte: number; shift: number } => {
    const inBlock = index % symbolsPerBlock
    const block = (index - inBlock) / symbolsPerBlock
    return { byte: (block * width + bit) * 32 + (inBlock >> 3), shift: inBlock & 7 }
  }
  const bits = Array.from({ length: width }, (_, bit) => bit)
  return {
    count: (length / (32 * width)) * symbolsPerBlock,
    read: (cell, index) =>
      bits.reduce((symbol, bit) => {
        const { byte, shift } = place(index, bit)
        return symbol | ((((cell[byte] ?? 0) >> shift) & 1) << bit)
      }, 0),
    write: (cell, index, symbol) => {
      for (const bit of bits) {
        const { byte, shift } = place(index, bit)
        cell[byte] = (cell[byte] ?? 0) | (((symbol >> bit) & 1) << shift)
      }
    },
  }
}
