/**
 * Bodies for tests: incompressible, different for every name, the same again for the same name.
 */
import { createCipheriv, createHash } from 'node:crypto'

/** `bytes` pseudo-random bytes that follow from `name` (AES-CTR over zeros under a key hashed from it). */
export function bodyOf(name: string, bytes: number): Buffer {
  const key = createHash('sha256').update(name).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return cipher.update(Buffer.alloc(bytes))
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Seeded floats in [0, 1) (mulberry32): a failing run can be repeated from its printed seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
