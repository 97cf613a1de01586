/**
 * The generator of `cauchy-xor`: a Cauchy matrix whose rows and columns are scaled for few ones in bit form.
 *
 * Invariant: this is a format. The points and the scaling rule decide every parity byte on disk; they never
 * change for a (k, m) that has been written. Scaling a row or column by a non-zero constant keeps every square
 * submatrix regular, so the code stays MDS (Bloemer et al., An XOR-Based Erasure-Resilient Coding Scheme, 1995;
 * Plank and Xu, Optimizing Cauchy Reed-Solomon Codes for Fault-Tolerant Network Storage Applications, 2006).
 */
import type { BinaryField } from './field.ts'
import { entryAt, type Matrix, matrixOf } from './matrix.ts'

/**
 * Parity rows (m x k): 1 / (x_i + y_j), columns scaled so that row 0 is all ones, every further row scaled by
 * the inverse of that one of its entries which leaves the fewest ones in bit form (the first, on a tie).
 */
export function cauchyParity(
  field: BinaryField,
  shape: { readonly dataShards: number; readonly parityShards: number },
): Matrix {
  const { dataShards, parityShards } = shape
  const points = pointsFor(field, shape)
  const x = (row: number): number => points[row] ?? 0
  const y = (column: number): number => points[parityShards + column] ?? 0
  const scaled = matrixOf({ rows: parityShards, columns: dataShards }, (row, column) =>
    field.multiply(field.invert(x(row) ^ y(column)), x(0) ^ y(column)),
  )
  const rowScales = Array.from({ length: parityShards }, (_, row) => sparsestScale(field, scaled, row))
  return matrixOf(scaled, (row, column) => field.multiply(entryAt(scaled, row, column), rowScales[row] ?? 0))
}

/**
 * Point sequences found by search for few XORs after common-subexpression elimination, by field width and m: the
 * points of the m rows, then those of the columns in the order in which data shards take them. Other m take the
 * elements in natural order.
 */
const POINTS: Readonly<Record<string, readonly number[]>> = {
  '4 2': [11, 7, 6, 8, 5, 4, 3, 13, 14, 2, 15, 1, 12, 9, 10, 0],
  '4 3': [10, 8, 7, 11, 3, 0, 13, 12, 4, 9, 2, 5, 1, 15, 14, 6],
  '4 4': [1, 10, 15, 7, 14, 12, 4, 2, 8, 11, 13, 6, 0, 5, 9, 3],
  '5 3': [8, 12, 7, 0, 31, 2, 13, 6, 3, 22, 23, 17, 20, 11, 1, 16, 27, 24, 10, 28],
  '5 4': [18, 21, 2, 27, 17, 25, 14, 11, 13, 24, 31, 12, 8, 16, 9, 20, 0, 10, 30, 4],
  '5 10': [
    22, 17, 7, 0, 21, 10, 6, 5, 25, 20, 23, 29, 18, 15, 24, 26, 1, 11, 3, 31, 30, 16, 9, 28, 13, 19, 27, 12,
    4, 2,
  ],
}

/** Distinct field elements: the m points of the parity rows, then the k points of the data columns. */
function pointsFor(
  field: BinaryField,
  { dataShards, parityShards }: { readonly dataShards: number; readonly parityShards: number },
): readonly number[] {
  const searched = POINTS[`${field.width} ${parityShards}`] ?? []
  const rest = Array.from({ length: field.size }, (_, element) => element).filter(
    (element) => !searched.includes(element),
  )
  return [...searched, ...rest].slice(0, dataShards + parityShards)
}

function sparsestScale(field: BinaryField, matrix: Matrix, row: number): number {
  const entries = Array.from({ length: matrix.columns }, (_, column) => entryAt(matrix, row, column))
  let best = { scale: 1, ones: Number.POSITIVE_INFINITY }
  for (const entry of entries) {
    const scale = field.invert(entry)
    const ones = entries.reduce((sum, other) => sum + onesOf(field, field.multiply(other, scale)), 0)
    if (ones < best.ones) best = { scale, ones }
  }
  return best.scale
}

/** Ones in the w x w bit matrix of multiplication by `element`. */
export function onesOf(field: BinaryField, element: number): number {
  let ones = 0
  for (let bit = 0; bit < field.width; bit++) {
    for (let rest = field.multiply(element, 1 << bit); rest > 0; rest &= rest - 1) ones++
  }
  return ones
}
