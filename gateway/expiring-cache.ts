/**
 * A bounded cache whose entries expire: least recently set entries go first when it is full.
 */
export class ExpiringCache<K, V> {
  readonly #entries = new Map<K, { value: V; expiresMs: number }>()
  readonly #entriesMax: number
  readonly #lifetimeMs: number
  readonly #nowMs: () => number

  constructor(entriesMax: number, lifetimeMs: number, nowMs: () => number = () => performance.now()) {
    this.#entriesMax = entriesMax
    this.#lifetimeMs = lifetimeMs
    this.#nowMs = nowMs
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expiresMs > this.#nowMs()) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, expiresMs: this.#nowMs() + this.#lifetimeMs })
    if (this.#entries.size > this.#entriesMax) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
  }

  delete(key: K): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
