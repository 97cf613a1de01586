/**
 * Keeps background work below a rate: bytes per second, with a burst of one second.
 *
 * Invariant: over any time the bytes granted are at most rate x (time + 1 s), plus one request. Waiters are served in order.
 */
import type { Clock } from '../world.ts'

export class Pace {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  #freeAtMs = 0

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Resolves when `bytes` more may be moved. */
  async take(bytes: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    const startMs = Math.max(this.#freeAtMs, nowMs - 1_000)
    this.#freeAtMs = startMs + (bytes / this.#bytesPerSecond) * 1_000
    if (startMs <= nowMs) return
    await pause(this.#clock, startMs - nowMs)
  }
}

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}
