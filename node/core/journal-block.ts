/**
 * Bytes of a journal: user data of its manifest, head blocks, and the plaintext of body blocks.
 *
 * A batch is two hypercore blocks. Block 2b is the body: the sealed events, which a lawful erasure may clear.
 * Block 2b+1 is the head: in the clear, never cleared, it names the batch, its entries' indexes, the hash of the
 * sealed body and one commitment per entry. Body left, head right, because the two are siblings in the tree and
 * hypercore's `clear` keeps the leaf hashes of a pair only when the right one stays.
 *
 * Invariant: one encoding per value; a decoder accepts nothing that the encoder would not write. All integers are
 * big-endian. The first byte is the format's version.
 */
import type { JournalLink, JournalManifest } from './journal.ts'

/** Format of all bytes in this file; written first in each of them. */
export const journalFormat = 1

const hashBytes = 32
const markers = { userData: 0x4a, head: 0x48, body: 0x42 } as const

/** The clear block of a batch. */
export interface BatchHead {
  readonly groupId: string
  readonly term: number
  readonly sequence: number
  /** Number of the batch in its journal, from 0. */
  readonly batch: number
  readonly firstIndex: number
  readonly lastIndex: number
  /** SHA-256 of the sealed body. */
  readonly bodyHash: Uint8Array
  /** SHA-256 over a secret salt and the event, one per entry: opens single events without the key of the others. */
  readonly commitments: readonly Uint8Array[]
}

/** Bytes are not what this format says; the message tells where. */
export class JournalFormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JournalFormatError'
  }
}

/** User data of a journal's manifest: everything in `JournalManifest` that hypercore has no field for. */
export function encodeUserData(manifest: JournalManifest): Uint8Array {
  const writer = new Writer()
  writer.u8(journalFormat)
  writer.u8(markers.userData)
  writer.text(manifest.groupId)
  writer.u64(manifest.term)
  writer.u64(manifest.sequence)
  writer.u64(manifest.firstIndex)
  writer.u8(manifest.previous === undefined ? 0 : 1)
  if (manifest.previous !== undefined) {
    writer.bytes(fromHex(manifest.previous.key, hashBytes))
    writer.u64(manifest.previous.length)
    writer.bytes(fromHex(manifest.previous.treeHash, hashBytes))
  }
  return writer.finish()
}

/** Reads back `encodeUserData`. Throws JournalFormatError. */
export function decodeUserData(bytes: Uint8Array): Omit<JournalManifest, 'signers' | 'quorum'> {
  const reader = new Reader(bytes, 'journal user data')
  reader.prefix(markers.userData)
  const groupId = reader.text()
  const term = reader.u64()
  const sequence = reader.u64()
  const firstIndex = reader.u64()
  const linked = reader.u8()
  let previous: JournalLink | undefined
  if (linked === 1) {
    previous = {
      key: toHex(reader.take(hashBytes)),
      length: reader.u64(),
      treeHash: toHex(reader.take(hashBytes)),
    }
  } else if (linked !== 0) reader.fail('link flag is neither 0 nor 1')
  reader.end()
  return { groupId, term, sequence, firstIndex, previous }
}

export function encodeBatchHead(head: BatchHead): Uint8Array {
  if (head.commitments.length !== head.lastIndex - head.firstIndex + 1) {
    throw new Error(
      `journal: ${head.commitments.length} commitments for ${head.firstIndex}..${head.lastIndex}`,
    )
  }
  const writer = new Writer(128 + hashBytes * head.commitments.length)
  writer.u8(journalFormat)
  writer.u8(markers.head)
  writer.text(head.groupId)
  writer.u64(head.term)
  writer.u64(head.sequence)
  writer.u64(head.batch)
  writer.u64(head.firstIndex)
  writer.u64(head.lastIndex)
  writer.bytes(head.bodyHash)
  for (const commitment of head.commitments) writer.bytes(commitment)
  return writer.finish()
}

/** Reads back `encodeBatchHead`; the commitments are views into `bytes`. Throws JournalFormatError. */
export function decodeBatchHead(bytes: Uint8Array): BatchHead {
  const reader = new Reader(bytes, 'journal head block')
  reader.prefix(markers.head)
  const groupId = reader.text()
  const term = reader.u64()
  const sequence = reader.u64()
  const batch = reader.u64()
  const firstIndex = reader.u64()
  const lastIndex = reader.u64()
  const bodyHash = reader.take(hashBytes)
  const count = lastIndex - firstIndex + 1
  if (count < 1 || reader.left !== count * hashBytes) reader.fail('entry count and commitments differ')
  const commitments = Array.from({ length: count }, () => reader.take(hashBytes))
  return { groupId, term, sequence, batch, firstIndex, lastIndex, bodyHash, commitments }
}

/** Plaintext of a body: the canonical events, each behind its length. */
export function encodeBody(events: readonly Uint8Array[]): Uint8Array {
  let size = 6
  for (const event of events) size += 4 + event.byteLength
  const writer = new Writer(size)
  writer.u8(journalFormat)
  writer.u8(markers.body)
  writer.u32(events.length)
  for (const event of events) {
    writer.u32(event.byteLength)
    writer.bytes(event)
  }
  return writer.finish()
}

/** Reads back `encodeBody`; the events are views into `bytes`. Throws JournalFormatError. */
export function decodeBody(bytes: Uint8Array): Uint8Array[] {
  const reader = new Reader(bytes, 'journal body block')
  reader.prefix(markers.body)
  const count = reader.u32()
  const events: Uint8Array[] = []
  for (let at = 0; at < count; at += 1) events.push(reader.take(reader.u32()))
  reader.end()
  return events
}

export function toHex(bytes: Uint8Array): string {
  return bytes.toHex()
}

/** Throws JournalFormatError unless `text` is `byteCount` bytes of hex. */
export function fromHex(text: string, byteCount: number): Uint8Array {
  if (text.length !== 2 * byteCount || !/^[0-9a-f]*$/.test(text)) {
    throw new JournalFormatError(`expected ${byteCount} bytes of lower-case hex`)
  }
  return Uint8Array.fromHex(text)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

class Writer {
  #buffer: Uint8Array<ArrayBuffer>
  #view: DataView
  #at = 0

  constructor(size = 256) {
    this.#buffer = new Uint8Array(size)
    this.#view = new DataView(this.#buffer.buffer)
  }

  u8(value: number): void {
    this.#room(1)
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }

  u32(value: number): void {
    this.#room(4)
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  u64(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`journal: ${value} is no unsigned integer`)
    this.#room(8)
    this.#view.setBigUint64(this.#at, BigInt(value))
    this.#at += 8
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength)
    this.#buffer.set(value, this.#at)
    this.#at += value.byteLength
  }

  /** At most 255 bytes of UTF-8: names of groups. */
  text(value: string): void {
    const bytes = encoder.encode(value)
    if (bytes.byteLength > 255) throw new Error('journal: name over 255 bytes')
    this.u8(bytes.byteLength)
    this.bytes(bytes)
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#at)
  }

  #room(count: number): void {
    if (this.#at + count <= this.#buffer.byteLength) return
    const grown = new Uint8Array(Math.max(2 * this.#buffer.byteLength, this.#at + count))
    grown.set(this.#buffer)
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string
  #at = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at
  }

  prefix(marker: number): void {
    const version = this.u8()
    if (version !== journalFormat) this.fail(`unknown format ${version}`)
    if (this.u8() !== marker) this.fail('wrong kind of block')
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#advance(8)))
    if (!Number.isSafeInteger(value)) this.fail('integer out of range')
    return value
  }

  text(): string {
    try {
      return decoder.decode(this.take(this.u8()))
    } catch (cause) {
      if (cause instanceof JournalFormatError) throw cause
      return this.fail('text is not UTF-8')
    }
  }

  take(count: number): Uint8Array {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }

  end(): void {
    if (this.left !== 0) this.fail(`${this.left} bytes too many`)
  }

  fail(why: string): never {
    throw new JournalFormatError(`${this.#what}: ${why}`)
  }

  #advance(count: number): number {
    const start = this.#at
    if (this.left < count) this.fail('too short')
    this.#at += count
    return start
  }
}
