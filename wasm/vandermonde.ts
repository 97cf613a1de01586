/**
 * The generator of `vandermonde-11d`: the interoperable byte-wise code of Backblaze JavaReedSolomon,
 * klauspost/reedsolomon and the Rust crate reed-solomon-erasure (and so of its npm builds).
 *
 * Invariant: equal to those implementations byte for byte, for every k + m <= 256.
 */
import type { BinaryField } from './field.ts'
import { invertMatrix, type Matrix, matrixOf, multiplyMatrices, rowsOf } from './matrix.ts'

/**
 * Parity rows (m x k) of V x inverse(top k rows of V), where V[r][c] = r^c over GF(2^8) with polynomial 0x11D.
 * Source: buildMatrix in klauspost/reedsolomon; JavaReedSolomon's ReedSolomon.buildMatrix.
 */
export function vandermondeParity(
  field: BinaryField,
  shape: { readonly dataShards: number; readonly parityShards: number },
): Matrix {
  const { dataShards, parityShards } = shape
  const vandermonde = matrixOf({ rows: dataShards + parityShards, columns: dataShards }, field.power)
  const top = invertMatrix(field, rowsOf(vandermonde, [...Array(dataShards).keys()]))
  if (!top) throw new Error('a Vandermonde matrix of distinct points is regular')
  const parityIndices = Array.from({ length: parityShards }, (_, index) => dataShards + index)
  return multiplyMatrices(field, rowsOf(vandermonde, parityIndices), top)
}
