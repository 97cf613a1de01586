/**
 * Rows: ordered key-value pairs, the only state that the replicated machines keep.
 *
 * Keys are well-formed strings ordered by their UTF-8 bytes (see byte-order.ts), values are opaque bytes. Who
 * stores them, and when they are durable, is told in world.ts; what the keys mean, by each state machine.
 */

/** One row: keys are UTF-8 strings ordered by their bytes, values are opaque bytes. */
export interface Row {
  readonly key: string
  readonly value: Uint8Array
}

/** `value === undefined` deletes the row. */
export interface RowMutation {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** Half-open key range `[gte, lt)`, at most `limit` rows, in byte order (or reversed). */
export interface RowRange {
  readonly gte: string
  readonly lt: string
  readonly limit?: number
  readonly reverse?: boolean
}

/** Synchronous point reads: several in one turn of the event loop see one consistent state. */
export interface RowReader {
  get(key: string): Uint8Array | undefined
}

/** Point reads and ordered scans, as queries and background workers need them. */
export interface RowSource extends RowReader {
  scan(range: RowRange): AsyncIterable<Row>
}
