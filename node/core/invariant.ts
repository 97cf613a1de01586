/**
 * The assertion of the pure cores, which import nothing from Node. A failed one is a bug or corrupt state, never
 * an operating error: nobody catches it, the process stops.
 */

/** Throws unless `condition` holds. `message` says what must be true, without secrets. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant violated: ${message}`)
}
