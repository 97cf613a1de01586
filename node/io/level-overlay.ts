/**
 * Rows that are written but not yet in LevelDB: what makes a write visible before its fsync.
 *
 * Invariant: LevelDB's rows covered by the overlay's are the rows after the last accepted write. A mutation
 * leaves the overlay when the batch that carried it, and no later one for the same key, has been written.
 */
import type { Row, RowMutation, RowRange } from '../world.ts'

/**
 * Orders keys as their UTF-8 bytes. JavaScript compares UTF-16 units, which puts characters beyond U+FFFF
 * (surrogate pairs) before U+E000..U+FFFF; LevelDB puts them behind.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left === right) continue
    const leftPair = left >= 0xd800 && left <= 0xdfff
    const rightPair = right >= 0xd800 && right <= 0xdfff
    if (leftPair !== rightPair) return leftPair ? 1 : -1
    return left - right
  }
  return a.length - b.length
}

interface Pending {
  readonly batch: number
  readonly value: Uint8Array | undefined
}

/** A row of the overlay in key order; `value` undefined hides LevelDB's row. */
export interface PendingRow {
  readonly key: string
  readonly value: Uint8Array | undefined
}

export class Overlay {
  readonly #rows = new Map<string, Pending>()

  get size(): number {
    return this.#rows.size
  }

  /** The pending mutation of `key`, if any. */
  get(key: string): { readonly value: Uint8Array | undefined } | undefined {
    return this.#rows.get(key)
  }

  add(mutations: readonly RowMutation[], batch: number): void {
    for (const { key, value } of mutations) this.#rows.set(key, { batch, value })
  }

  /** The batch and all before it are in LevelDB. `mutations` are the batch's own. */
  settle(mutations: readonly RowMutation[], batch: number): void {
    for (const { key } of mutations) {
      if ((this.#rows.get(key)?.batch ?? Number.POSITIVE_INFINITY) <= batch) this.#rows.delete(key)
    }
  }

  /** Everything pending, to look at later as it is now. */
  freeze(): OverlayView {
    return new OverlayView(this.#rows)
  }
}

/** The overlay as it was at one moment. */
export class OverlayView {
  readonly #rows: PendingRow[] = []

  constructor(rows: ReadonlyMap<string, Pending>) {
    for (const [key, { value }] of rows) this.#rows.push({ key, value })
  }

  /** Pending rows of the range, in its order; the limit does not apply. */
  range(range: RowRange): PendingRow[] {
    const rows = this.#rows.filter(
      ({ key }) => compareKeys(key, range.gte) >= 0 && compareKeys(key, range.lt) < 0,
    )
    const direction = range.reverse === true ? -1 : 1
    return rows.sort((a, b) => direction * compareKeys(a.key, b.key))
  }
}

/**
 * Merges stored rows with pending ones, both in the range's order; pending rows win, deletions hide.
 *
 * @param stored batches of rows, read only as far as needed
 */
export async function* mergePending(
  stored: AsyncIterable<readonly Row[]>,
  pending: readonly PendingRow[],
  range: RowRange,
): AsyncGenerator<Row> {
  const direction = range.reverse === true ? -1 : 1
  let left = range.limit ?? Number.POSITIVE_INFINITY
  if (left <= 0) return
  let at = 0
  for await (const rows of stored) {
    for (const row of rows) {
      let order = -1
      for (let next = pending[at]; next !== undefined; next = pending[at]) {
        order = direction * compareKeys(next.key, row.key)
        if (order > 0) break
        at += 1
        if (next.value !== undefined) {
          yield { key: next.key, value: next.value }
          left -= 1
          if (left === 0) return
        }
        if (order === 0) break
      }
      if (order === 0 && pending[at - 1]?.key === row.key) continue
      yield row
      left -= 1
      if (left === 0) return
    }
  }
  for (const { key, value } of pending.slice(at)) {
    if (value === undefined) continue
    yield { key, value }
    left -= 1
    if (left === 0) return
  }
}
