/**
 * Whether this process may use 256-bit vectors: V8 merges pairs of 128-bit operations when it was started with
 * --experimental-wasm-revectorize, and only then is code in that form worth generating.
 *
 * Invariant: never turned on from here. An experimental compiler pass is the operator's decision.
 */

/** True when the flag was given on the command line or in NODE_OPTIONS. */
export function wideVectors(): boolean {
  const given = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')]
  return given.some((option) => option.replaceAll('_', '-') === '--experimental-wasm-revectorize')
}
