/**
 * The changes of one command while it is being applied: reads see its own writes, at most one mutation per key.
 */
import { decodeRow, encodeRow } from './row-codec.ts'
import type { RowMutation, RowReader } from './rows.ts'

/** Rows with their values decoded. The caller names the type that belongs to the key. */
export interface DecodedRows {
  get<T extends object>(key: string): T | undefined
}

/** Rows as they are, for queries. */
export function decodedRows(rows: RowReader): DecodedRows {
  return {
    get: <T extends object>(key: string) => {
      const bytes = rows.get(key)
      return bytes === undefined ? undefined : decodeRow<T>(bytes)
    },
  }
}

export class RowChanges implements DecodedRows {
  private readonly rows: RowReader
  private readonly changed = new Map<string, object | undefined>()
  /** Rows that were read, so that each is decoded once: several rules of a command look at the same ones. */
  private readonly seen = new Map<string, object | undefined>()

  constructor(rows: RowReader) {
    this.rows = rows
  }

  /** The row as this command sees it. The caller names the type that belongs to the key. */
  get<T extends object>(key: string): T | undefined {
    if (this.changed.has(key)) return this.changed.get(key) as T | undefined
    if (this.seen.has(key)) return this.seen.get(key) as T | undefined
    const bytes = this.rows.get(key)
    const row = bytes === undefined ? undefined : decodeRow<T>(bytes)
    this.seen.set(key, row)
    return row
  }

  /** Whether the row exists; does not decode it. */
  has(key: string): boolean {
    if (this.changed.has(key)) return this.changed.get(key) !== undefined
    return this.rows.get(key) !== undefined
  }

  put(key: string, value: object): void {
    this.changed.set(key, value)
  }

  delete(key: string): void {
    this.changed.set(key, undefined)
  }

  /** In the order of the first change of each key, which is the same on every replica. */
  mutations(): RowMutation[] {
    return [...this.changed].map(([key, value]) => ({
      key,
      value: value === undefined ? undefined : encodeRow(value),
    }))
  }
}
