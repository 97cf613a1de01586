/**
 * What a code is: its name, its generator matrix, and the linear map that each operation on a stripe needs.
 *
 * Invariant: the generator of a given CodeSpec never changes. Shards on disk name the code; a better matrix is
 * a new CodeName. test/golden/codec holds this file to it. How a map is computed fast is left to the engines.
 */

import { cauchyParity } from './cauchy.ts'
import { CodecError } from './codec-error.ts'
import { type BinaryField, binaryField, type FieldWidth } from './field.ts'
import {
  entryAt,
  invertMatrix,
  type Matrix,
  matrixOf,
  multiplyMatrices,
  rowsOf,
  systematic,
} from './matrix.ts'
import { vandermondeParity } from './vandermonde.ts'

/** Named in the shard header; append-only. */
export type CodeName = 'cauchy-xor' | 'vandermonde-11d'

export const CODE_NAMES: readonly CodeName[] = ['cauchy-xor', 'vandermonde-11d']

export interface CodeSpec {
  readonly code: CodeName
  /** k, at least 1. */
  readonly dataShards: number
  /** m, at least 0; k + m is at most 256. */
  readonly parityShards: number
}

/** A code ready for planning. `generator` is n x k, its first k rows the identity. */
export interface Code {
  readonly spec: CodeSpec
  readonly field: BinaryField
  readonly width: FieldWidth
  readonly generator: Matrix
}

/**
 * targets = coefficients x sources, cell-wise; sources and targets are shard indices and disjoint.
 * `coefficients` has a row per target and a column per source.
 */
export interface LinearMap {
  readonly sources: readonly number[]
  readonly targets: readonly number[]
  readonly coefficients: Matrix
  /** The same map in two steps, coefficients = outer x inner, where that may need fewer additions. */
  readonly factors?: MapFactors
}

export interface MapFactors {
  readonly inner: Matrix
  readonly outer: Matrix
}

const SHARDS_MAX = 256

/** Checks `spec` and derives its matrix. Throws CodecError for anything that is not a code. */
export function codeOf(spec: CodeSpec): Code {
  const { code, dataShards, parityShards } = spec
  if (!CODE_NAMES.includes(code)) throw new CodecError(`unknown code ${JSON.stringify(code)}`)
  if (!Number.isInteger(dataShards) || dataShards < 1) {
    throw new CodecError(`dataShards must be an integer of at least 1, got ${dataShards}`)
  }
  if (!Number.isInteger(parityShards) || parityShards < 0) {
    throw new CodecError(`parityShards must be an integer of at least 0, got ${parityShards}`)
  }
  const shards = dataShards + parityShards
  if (shards > SHARDS_MAX)
    throw new CodecError(`at most ${SHARDS_MAX} shards, got ${dataShards}+${parityShards}`)
  const width = code === 'vandermonde-11d' ? 8 : cauchyWidth(shards)
  const field = binaryField(width)
  const parity = code === 'vandermonde-11d' ? vandermondeParity(field, spec) : cauchyParity(field, spec)
  return { spec: { code, dataShards, parityShards }, field, width, generator: systematic(parity) }
}

/** The smallest field of the family with a point for every shard: fewer bits per symbol, fewer XORs. */
function cauchyWidth(shards: number): FieldWidth {
  if (shards <= 16) return 4
  return shards <= 32 ? 5 : 8
}

/** All parity from all data. */
export function encodeMap(code: Code): LinearMap {
  const { dataShards, parityShards } = code.spec
  const targets = range(dataShards, dataShards + parityShards)
  return { sources: range(0, dataShards), targets, coefficients: rowsOf(code.generator, targets) }
}

/**
 * `wanted` shards from k of the present ones. Takes the data shards first, because their rows are the identity,
 * then the parity shards in order, because the first row is all ones: one lost shard is a plain XOR.
 * Throws CodecError when fewer than k shards are present or a wanted one is present already.
 */
export function reconstructMap(
  code: Code,
  present: readonly boolean[],
  wanted: readonly number[],
): LinearMap {
  const { dataShards } = code.spec
  const available = range(0, code.generator.rows).filter((shard) => present[shard])
  if (available.length < dataShards) {
    throw new CodecError(`${available.length} shards are present, ${dataShards} are needed`)
  }
  const sources = available.slice(0, dataShards)
  const inverse = invertMatrix(code.field, rowsOf(code.generator, sources))
  // An MDS code has no singular choice of k rows: this is a wrong generator, not a wrong argument.
  if (!inverse) throw new Error(`generator rows ${sources.join()} are dependent`)
  const coefficients = multiplyMatrices(code.field, rowsOf(code.generator, wanted), inverse)
  const factors = syndromeFactors(code, sources, wanted)
  return { sources, targets: wanted, coefficients, ...(factors && { factors }) }
}

/**
 * Lost data by way of syndromes: what each parity shard in use still contains of the lost ones (inner, as sparse as
 * the encoder), then a small inverse (outer). Undefined for wanted parity, and for one lost shard, where it is moot.
 */
function syndromeFactors(
  code: Code,
  sources: readonly number[],
  wanted: readonly number[],
): MapFactors | undefined {
  const { dataShards } = code.spec
  const parity = sources.filter((shard) => shard >= dataShards)
  const lost = range(0, dataShards).filter((shard) => !sources.includes(shard))
  if (parity.length < 2 || wanted.some((shard) => shard >= dataShards)) return undefined
  const inner = matrixOf({ rows: parity.length, columns: dataShards }, (row, column) => {
    const [syndrome, source] = [parity[row] ?? 0, sources[column] ?? 0]
    return source < dataShards ? entryAt(code.generator, syndrome, source) : Number(source === syndrome)
  })
  const square = matrixOf({ rows: parity.length, columns: parity.length }, (row, column) =>
    entryAt(code.generator, parity[row] ?? 0, lost[column] ?? 0),
  )
  const inverse = invertMatrix(code.field, square)
  if (!inverse) throw new Error(`generator rows ${parity.join()} and columns ${lost.join()} are dependent`)
  return {
    inner,
    outer: rowsOf(
      inverse,
      wanted.map((shard) => lost.indexOf(shard)),
    ),
  }
}

/** What a change of data shard `dataIndex` adds to that shard and to all parity, from one cell of change. */
export function updateMap(code: Code, dataIndex: number, deltaCell: number): LinearMap {
  const { dataShards, parityShards } = code.spec
  const targets = [dataIndex, ...range(dataShards, dataShards + parityShards)]
  const rows = rowsOf(code.generator, targets)
  const column = rows.cells.filter((_, index) => index % rows.columns === dataIndex)
  return { sources: [deltaCell], targets, coefficients: { rows: targets.length, columns: 1, cells: column } }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}
