/**
 * A map with a bound that forgets what was used least recently.
 *
 * Invariant: never holds more than `entriesMax` values; a value is made at most once while it is held.
 */
export class BoundedCache<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #entriesMax: number
  /** The key used last: it is at the end of the order already. */
  #newest: string | undefined

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value of `key`, from `make` when it is not held. An error of `make` leaves the cache as it was. */
  get(key: string, make: () => Value): Value {
    const held = this.#entries.get(key)
    if (held !== undefined && key === this.#newest) return held
    const value = held === undefined ? make() : held
    this.#newest = key
    // Deleting first moves the key to the end: Map iterates in insertion order, so the front is the oldest.
    this.#entries.delete(key)
    this.#entries.set(key, value)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax) break
      this.#entries.delete(oldest)
    }
    return value
  }
}
