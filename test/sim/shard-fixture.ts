/**
 * Shards for tests: headers, framed cells with recognisable bytes, and a clock that only tests move.
 */

import type { ShardHeader } from '../../node/protocol/messages.ts'
import { trailerBytes, writeTrailer } from '../../node/protocol/shard-record.ts'
import type { Clock } from '../../node/world.ts'

export const someHeader: ShardHeader = {
  blobId: '0a1b2c3d4e5f60718293a4b5c6d7e8f9',
  shardIndex: 3,
  groupId: 'catalog-1',
  code: 'cauchy-xor',
  dataShards: 4,
  parityShards: 2,
  cellBytes: 256,
  generation: 1,
}

/** Framed cells `first` .. `first + count - 1`; the last has `lastBytes`. Bytes depend on cell and `salt`. */
export function frames(
  header: ShardHeader,
  first: number,
  count: number,
  options: { lastBytes?: number; salt?: number } = {},
): Buffer {
  const { lastBytes = header.cellBytes, salt = 0 } = options
  const parts: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const cell = first + i
    const bytes = i === count - 1 ? lastBytes : header.cellBytes
    const frame = Buffer.alloc(bytes + trailerBytes, (cell * 31 + salt * 7 + header.shardIndex) & 255)
    writeTrailer(frame, cell)
    parts.push(frame)
  }
  return Buffer.concat(parts)
}

/** Time stands still until `advance`; timers run then, in order. */
export class TestClock implements Clock {
  #nowMs = 1_000_000
  #timers: { atMs: number; run: () => void }[] = []

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.run()
    }
    this.#nowMs = untilMs
  }
}

/** Asserts that `error` is a ClusterError of this code; for assert.rejects. */
export function code(expected: string, details?: Record<string, unknown>): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Error) || !('code' in error) || error.code !== expected) return false
    const has = 'details' in error ? (error.details as Record<string, unknown>) : {}
    return Object.entries(details ?? {}).every(([name, value]) => has[name] === value)
  }
}
