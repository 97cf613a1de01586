/** Rows in memory, and a driver that feeds a state machine as the host does: each command through MessagePack. */
import assert from 'node:assert/strict'
import { pack, unpack } from 'msgpackr'
import type { Row, RowMutation, RowRange, RowSource } from '../../node/core/rows.ts'
import { isErrorReply, type StateMachine } from '../../node/core/state-machine.ts'

export class MemoryRows implements RowSource {
  readonly rows = new Map<string, Uint8Array>()
  /** Rows that scans have yielded: what a listing costs. */
  scannedRows = 0

  get(key: string): Uint8Array | undefined {
    return this.rows.get(key)
  }

  /** In the order of UTF-8 bytes, by Buffer.compare: independent of byte-order.ts. A range lies in one family. */
  list(range: RowRange): Row[] {
    const [gte, lt] = [bytesOf(range.gte), bytesOf(range.lt)]
    const inRange = [...this.rows.keys()]
      .filter(
        (key) =>
          key.charCodeAt(0) === range.gte.charCodeAt(0) &&
          bytesOf(key).compare(gte) >= 0 &&
          bytesOf(key).compare(lt) < 0,
      )
      .sort((a, b) => bytesOf(a).compare(bytesOf(b)))
    if (range.reverse) inRange.reverse()
    return inRange
      .slice(0, range.limit)
      .map((key) => ({ key, value: this.rows.get(key) ?? new Uint8Array() }))
  }

  async *scan(range: RowRange): AsyncIterable<Row> {
    for (const row of this.list(range)) {
      this.scannedRows += 1
      yield row
    }
  }

  write(mutations: readonly RowMutation[]): void {
    assert.equal(new Set(mutations.map((each) => each.key)).size, mutations.length, 'one mutation per key')
    for (const { key, value } of mutations) {
      if (value === undefined) this.rows.delete(key)
      else this.rows.set(key, value)
    }
  }
}

function bytesOf(key: string): Buffer {
  return Buffer.from(key)
}

/** Applies committed commands in order. */
export class Driver {
  readonly rows = new MemoryRows()
  readonly machine: StateMachine
  index = 0
  /** The leader's clock. By default it is later than that of any command, so that the command's own counts. */
  leaderMs: number | undefined = 8.64e15

  constructor(machine: StateMachine) {
    this.machine = machine
  }

  /** Applies one command; checks that errors change nothing. */
  apply(command: unknown): { reply: unknown; mutations: readonly RowMutation[] } {
    this.index += 1
    const decoded: unknown = unpack(pack(command))
    const scanned = (this.machine.scansOf?.(decoded) ?? []).map((range) => this.rows.list(range))
    const output = this.machine.apply({
      index: this.index,
      term: 1,
      command: decoded,
      leaderMs: this.leaderMs,
      rows: this.rows,
      scanned,
    })
    if (isErrorReply(output.reply)) assert.deepEqual(output.mutations, [], 'an error leaves no change')
    this.rows.write(output.mutations)
    return output
  }

  /** The reply of a command that must succeed. */
  run<R>(command: unknown): R {
    const { reply } = this.apply(command)
    assert.ok(!isErrorReply(reply), JSON.stringify(reply))
    return reply as R
  }

  /** The code and details of a command that must be refused. */
  refused(command: unknown): { code: string; details: Readonly<Record<string, unknown>> } {
    const { reply } = this.apply(command)
    assert.ok(isErrorReply(reply), `${JSON.stringify(reply)} should be an error`)
    return { code: reply.error.code, details: reply.error.details }
  }
}

/** Uniform numbers from a seed (mulberry32), so that a failure can be repeated. */
export class Seeded {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** An integer in [0, count). */
  below(count: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * count)
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)]
    assert.ok(picked !== undefined)
    return picked
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}
