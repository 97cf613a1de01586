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

/** Distinct field elements: the m points of the parity rows, then the k points of the data columns. */
function pointsFor(
  field: BinaryField,
  { dataShards, parityShards }: { readonly dataShards: number; readonly parityShards: number },
): readonly number[] {
  void field
  return Array.from({ length: dataShards + parityShards }, (_, index) => index)
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
