/**
 * Binary fields GF(2^w) as log and antilog tables: the arithmetic of matrices, never of payload bytes.
 *
 * Invariant: tables are built from the primitive polynomial alone, so two processes agree on every product.
 * Payload is multiplied by generated XOR code (xor-program.ts) or by byte shuffles (byte-form.ts); the slow
 * oracle that proves both is oracle.ts and shares nothing with this file.
 */

/** A finite field of characteristic two; elements are integers in [0, size). Addition is XOR. */
export interface BinaryField {
  /** Bits per symbol. */
  readonly width: number
  /** Number of elements, 2^width. */
  readonly size: number
  readonly multiply: (a: number, b: number) => number
  /** Multiplicative inverse; throws RangeError for 0, which is a bug of the caller. */
  readonly invert: (a: number) => number
  /** `base` to a non-negative power; 0 to the power 0 is 1, as Vandermonde matrices want it. */
  readonly power: (base: number, exponent: number) => number
}

/** Primitive polynomials, those of Jerasure and gf-complete, so that their output can be compared. */
const POLYNOMIALS: Readonly<Record<FieldWidth, number>> = { 4: 0x13, 5: 0x25, 8: 0x11d }

export type FieldWidth = 4 | 5 | 8

/** Builds the tables of GF(2^width): a few hundred steps, so callers keep the result instead of caching here. */
export function binaryField(width: FieldWidth): BinaryField {
  const size = 1 << width
  const order = size - 1
  const logs = new Uint8Array(size)
  const exps = new Uint8Array(2 * order)
  for (let exponent = 0, value = 1; exponent < order; exponent++) {
    exps[exponent] = value
    exps[exponent + order] = value
    logs[value] = exponent
    value <<= 1
    if (value & size) value ^= POLYNOMIALS[width]
  }
  const log = (a: number): number => logs[a] ?? 0
  const exp = (e: number): number => exps[e] ?? 0
  return {
    width,
    size,
    multiply: (a, b) => (a === 0 || b === 0 ? 0 : exp(log(a) + log(b))),
    invert: (a) => {
      if (a === 0) throw new RangeError('0 has no inverse')
      return exp(order - log(a))
    },
    power: (base, exponent) => {
      if (exponent === 0) return 1
      return base === 0 ? 0 : exp((log(base) * exponent) % order)
    },
  }
}
