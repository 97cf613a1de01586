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
import { wideVectors } from './wide-vectors.ts'

/** One code per engine and field: GF(2^4), GF(2^5), GF(2^8) as products, bytes. */
const SPECIMENS: readonly CodeSpec[] = [
  { code: 'cauchy-xor', dataShards: 4, parityShards: 2 },
  { code: 'cauchy-xor', dataShards: 17, parityShards: 3 },
  { code: 'cauchy-xor', dataShards: 31, parityShards: 3 },
  { code: 'vandermonde-11d', dataShards: 4, parityShards: 2 },
]

/** Throws CodecError when a kernel computes a wrong byte. Takes about a tenth of a second. */
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
  if (wideVectors()) checkOptimisedCode()
}

/** Long enough for the optimising compiler, which works on another thread, to replace the baseline code. */
const OPTIMISED_AFTER_MS = 300

/**
 * Under the revectorizer only optimised code is 256 bits wide, so it must be awaited: encodes the same bytes over and
 * over and compares each parity with the first, which baseline code computed and the oracle confirms at both ends.
 */
function checkOptimisedCode(): void {
  const code = codeOf({ code: 'cauchy-xor', dataShards: 6, parityShards: 3 })
  const engine = engineFor(code)
  const cellBytes = 512 * engine.blockBytes
  const stripe = createStripePool(code, engine, {
    cellBytesMax: cellBytes,
    trailerBytes: 0,
    stripesMax: 1,
  }).tryAcquire()
  if (!stripe) throw new CodecError('a fresh stripe pool has no stripe')
  stripe.cells.forEach((cell, index) => {
    fillPseudoRandom(cell, index + 1)
  })
  stripe.encode(cellBytes)
  const first = stripe.cells.map((cell) => Buffer.from(cell))
  for (const at of [0, cellBytes - engine.blockBytes]) {
    const block = first.map((cell) => cell.subarray(at, at + engine.blockBytes))
    const parity = slowShards(code, block.slice(0, 6), [6, 7, 8])
    if (!parity.every((cell, index) => cell.equals(block[6 + index] ?? cell))) {
      throw new CodecError('self-test: encode of cauchy-xor 6+3 is wrong on this machine')
    }
  }
  for (const end = performance.now() + OPTIMISED_AFTER_MS; performance.now() < end; ) {
    for (const cell of stripe.cells.slice(6)) cell.fill(0)
    stripe.encode(cellBytes)
    if (!stripe.cells.every((cell, index) => cell.equals(first[index] ?? cell))) {
      throw new CodecError('self-test: 256-bit code is wrong: do without --experimental-wasm-revectorize')
    }
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
