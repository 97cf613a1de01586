/**
 * Proof at process start that this engine computes this code: a process that cannot must not serve.
 *
 * Invariant: every engine and every mode runs once against the slow oracle; any wrong byte throws.
 */
import { type Code, type CodeSpec, codeOf, range } from './code.ts'
import { CodecError } from './codec-error.ts'
import { engineFor } from './engines.ts'
import { slowShards } from './oracle.ts'
import { createStripePool, type Stripe } from './stripe-pool.ts'

/** One code per engine and field: GF(2^4), GF(2^5), GF(2^8) as products, bytes. */
const SPECIMENS: readonly CodeSpec[] = [
  { code: 'cauchy-xor', dataShards: 4, parityShards: 2 },
  { code: 'cauchy-xor', dataShards: 17, parityShards: 3 },
  { code: 'cauchy-xor', dataShards: 31, parityShards: 3 },
  { code: 'vandermonde-11d', dataShards: 4, parityShards: 2 },
]

/** Throws CodecError when a kernel computes a wrong byte. Takes a few tens of milliseconds. */
export function selfTest(): void {
  for (const spec of SPECIMENS) {
    const code = codeOf(spec)
    const engine = engineFor(code)
    const cellBytes = 3 * (engine.blockBytes === 1 ? 11 : engine.blockBytes)
    const pool = createStripePool(code, engine, { cellBytesMax: cellBytes, trailerBytes: 0, stripesMax: 1 })
    const stripe = pool.tryAcquire()
    if (!stripe) throw new CodecError('a fresh stripe pool has no stripe')
    checkStripe(code, stripe, cellBytes)
    stripe.release()
    pool.close()
  }
}

function checkStripe(code: Code, stripe: Stripe, cellBytes: number): void {
  const { dataShards, parityShards } = code.spec
  const name = `${code.spec.code} ${dataShards}+${parityShards}`
  stripe.cells.forEach((cell, index) => {
    fillPseudoRandom(cell, index + 1)
  })
  const expected = expectedCells(code, stripe)
  const check = (what: string, right: boolean): void => {
    if (!right) throw new CodecError(`self-test: ${what} of ${name} is wrong on this machine`)
  }
  const asExpected = (): boolean => stripe.cells.every((cell, index) => cell.equals(expected[index] ?? cell))
  stripe.encode(cellBytes)
  check('encode', asExpected())
  check('verify of a good stripe', stripe.verify(cellBytes))
  const present = stripe.cells.map((_, index) => index >= Math.min(parityShards, dataShards))
  for (const cell of stripe.cells.filter((_, index) => !present[index])) cell.fill(0)
  check('verify of a bad stripe', !stripe.verify(cellBytes))
  stripe.reconstruct(cellBytes, { present })
  check('reconstruct', asExpected())
  fillPseudoRandom(stripe.delta, 99)
  stripe.update(cellBytes, dataShards - 1, stripe.delta)
  const updated = expectedCells(code, stripe)
  check(
    'update',
    stripe.cells.every((cell, index) => cell.equals(updated[index] ?? cell)),
  )
}

function expectedCells(code: Code, stripe: Stripe): readonly Buffer[] {
  const { dataShards } = code.spec
  const data = stripe.cells.slice(0, dataShards).map((cell) => Buffer.from(cell))
  return [...data, ...slowShards(code, data, range(dataShards, code.generator.rows))]
}

/** A linear congruential generator is enough: the bytes need variety, not secrecy. */
function fillPseudoRandom(cell: Uint8Array, seed: number): void {
  let state = seed
  for (let index = 0; index < cell.length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    cell[index] = state >>> 24
  }
}
