/**
 * The bytes of a row's value: one byte of format version, then a MessagePack map with named fields.
 *
 * Rows outlive processes: field names are append-only, a new meaning of old fields is a new format version, and
 * golden files hold the bytes (test/golden/rows). Fields that this version does not know are kept when a row is
 * rewritten, because values are stored as they came.
 */
import { Packr } from 'msgpackr'
import { invariant } from './invariant.ts'

const formatVersion = 1

/** No records extension: every row can be read alone, by any MessagePack reader. */
const packr = new Packr({ useRecords: false, variableMapSize: true })

/** Encodes a row. The result is the caller's own. */
export function encodeRow(value: object): Uint8Array {
  const packed = packr.pack(value)
  const bytes = new Uint8Array(packed.length + 1)
  bytes[0] = formatVersion
  bytes.set(packed, 1)
  return bytes
}

/**
 * Decodes a row that this group wrote. Byte strings in the result are views of `bytes`.
 * Asserts the format version: rows of a newer version must not be guessed at.
 */
export function decodeRow<T extends object>(bytes: Uint8Array): T {
  invariant(bytes[0] === formatVersion, `row format is ${formatVersion}, found ${bytes[0]}`)
  return packr.unpack(bytes.subarray(1)) as T
}
