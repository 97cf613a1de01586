/**
 * Bytes that outlive the process: parity on disk is in the form that these vectors hold.
 *
 * The vectors of cauchy-xor were compared once with Jerasure 2.0 (ops/decisions/0101); those of vandermonde-11d are
 * compared with the npm build of the Rust crate reed-solomon-erasure here, in every run.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ReedSolomonErasure } from '@subspace/reed-solomon-erasure.wasm'
import { codeOf, encodeMap } from '../../wasm/code.ts'
import { CODE_NAMES, type CodeName, codecFor, type Stripe } from '../../wasm/codec.ts'

interface Vector {
  readonly code: CodeName
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
  readonly parityMatrixSha256: string
  readonly parityHead: readonly string[]
  readonly paritySha256: string
}

const golden = JSON.parse(readFileSync(new URL('../golden/codec/vectors.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[]
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function stripeOf(vector: Pick<Vector, 'code' | 'dataShards' | 'parityShards' | 'cellBytes'>): Stripe {
  const pool = codecFor(vector).createStripePool({
    cellBytesMax: vector.cellBytes,
    trailerBytes: 0,
    stripesMax: 1,
  })
  const stripe = pool.tryAcquire()
  assert.ok(stripe)
  return stripe
}

describe('golden vectors', () => {
  it('cover every code', () => {
    assert.deepEqual([...new Set(golden.vectors.map(({ code }) => code))].sort(), [...CODE_NAMES].sort())
  })

  for (const vector of golden.vectors) {
    const { code, dataShards, parityShards, cellBytes } = vector
    it(`${code} ${dataShards}+${parityShards} has the parity that is on disk`, () => {
      const matrix = encodeMap(codeOf(vector)).coefficients
      assert.equal(sha256(matrix.cells), vector.parityMatrixSha256)
      const stripe = stripeOf(vector)
      const seed = `${code} ${dataShards}+${parityShards}`
      const data = createHash('shake256', { outputLength: dataShards * cellBytes })
        .update(seed)
        .digest()
      stripe.cells.slice(0, dataShards).forEach((cell, shard) => {
        data.copy(cell, 0, shard * cellBytes)
      })
      stripe.encode(cellBytes)
      const parity = stripe.cells.slice(dataShards)
      const heads = parity.slice(0, 2).map((cell) => cell.subarray(0, 32).toString('hex'))
      assert.deepEqual(heads, vector.parityHead)
      assert.equal(sha256(Buffer.concat(parity)), vector.paritySha256)
    })
  }
})

describe('vandermonde-11d', () => {
  it('equals the npm build of reed-solomon-erasure byte for byte, for every length and shape tried', async () => {
    const reference = await ReedSolomonErasure.fromCurrentDirectory()
    for (const [dataShards, parityShards] of [
      [1, 1],
      [2, 1],
      [4, 2],
      [5, 5],
      [10, 4],
      [17, 3],
      [60, 40],
      [200, 55],
    ] as const) {
      for (const cellBytes of [1, 15, 16, 17, 333, 4097]) {
        const stripe = stripeOf({ code: 'vandermonde-11d', dataShards, parityShards, cellBytes })
        const data = randomBytes(dataShards * cellBytes)
        const expected = new Uint8Array((dataShards + parityShards) * cellBytes)
        expected.set(data)
        assert.equal(reference.encode(expected, dataShards, parityShards), ReedSolomonErasure.RESULT_OK)
        stripe.cells.slice(0, dataShards).forEach((cell, shard) => {
          data.copy(cell, 0, shard * cellBytes)
        })
        stripe.encode(cellBytes)
        const name = `${dataShards}+${parityShards} with ${cellBytes} bytes`
        assert.equal(Buffer.compare(Buffer.concat(stripe.cells), expected), 0, name)
      }
    }
  })
})
