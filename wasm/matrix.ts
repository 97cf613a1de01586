/**
 * Dense matrices over a binary field: product, inverse, selection of rows.
 *
 * Invariant: no function changes its arguments. Sizes are those of a code (at most 256 x 256), so the plain
 * cubic algorithms are fast enough: 20 x 20 inverts in well under a millisecond.
 */
import type { BinaryField } from './field.ts'

/** Row-major, `rows` x `columns` field elements. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly cells: Uint8Array
}

/** A matrix whose entries come from `entry(row, column)`. */
export function matrixOf(
  shape: { readonly rows: number; readonly columns: number },
  entry: (row: number, column: number) => number,
): Matrix {
  const cells = new Uint8Array(shape.rows * shape.columns)
  for (let row = 0; row < shape.rows; row++) {
    for (let column = 0; column < shape.columns; column++) {
      cells[row * shape.columns + column] = entry(row, column)
    }
  }
  return { rows: shape.rows, columns: shape.columns, cells }
}

export function entryAt(matrix: Matrix, row: number, column: number): number {
  const value = matrix.cells[row * matrix.columns + column]
  if (value === undefined)
    throw new RangeError(`no entry (${row}, ${column}) in ${matrix.rows} x ${matrix.columns}`)
  return value
}

export function rowsOf(matrix: Matrix, rows: readonly number[]): Matrix {
  return matrixOf({ rows: rows.length, columns: matrix.columns }, (row, column) =>
    entryAt(matrix, rows[row] ?? -1, column),
  )
}

/** The k x k identity above `parity` (m x k): the systematic generator whose row i yields shard i. */
export function systematic(parity: Matrix): Matrix {
  const k = parity.columns
  return matrixOf({ rows: k + parity.rows, columns: k }, (row, column) =>
    row < k ? Number(row === column) : entryAt(parity, row - k, column),
  )
}

export function multiplyMatrices(field: BinaryField, left: Matrix, right: Matrix): Matrix {
  if (left.columns !== right.rows) throw new RangeError('inner dimensions differ')
  return matrixOf({ rows: left.rows, columns: right.columns }, (row, column) => {
    let sum = 0
    for (let inner = 0; inner < left.columns; inner++) {
      sum ^= field.multiply(entryAt(left, row, inner), entryAt(right, inner, column))
    }
    return sum
  })
}

/** Gauss-Jordan inverse, or undefined when the matrix is singular. */
export function invertMatrix(field: BinaryField, matrix: Matrix): Matrix | undefined {
  const size = matrix.rows
  if (size !== matrix.columns) throw new RangeError('only a square matrix has an inverse')
  const width = 2 * size
  const work = new Uint8Array(size * width)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) work[row * width + column] = entryAt(matrix, row, column)
    work[row * width + size + row] = 1
  }
  const at = (row: number, column: number): number => work[row * width + column] ?? 0
  for (let pivot = 0; pivot < size; pivot++) {
    let source = pivot
    while (source < size && at(source, pivot) === 0) source++
    if (source === size) return undefined
    const scale = field.invert(at(source, pivot))
    for (let column = 0; column < width; column++) {
      const scaled = field.multiply(at(source, column), scale)
      work[source * width + column] = at(pivot, column)
      work[pivot * width + column] = scaled
    }
    for (let row = 0; row < size; row++) {
      const factor = at(row, pivot)
      if (row === pivot || factor === 0) continue
      for (let column = pivot; column < width; column++) {
        work[row * width + column] = at(row, column) ^ field.multiply(factor, at(pivot, column))
      }
    }
  }
  return matrixOf({ rows: size, columns: size }, (row, column) => at(row, size + column))
}
