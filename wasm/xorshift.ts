/**
 * Random numbers that are the same every time: searches must find the same kernel in every process.
 */

/** Marsaglia's xorshift32, as numbers in [0, 1). */
export function xorshift(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
