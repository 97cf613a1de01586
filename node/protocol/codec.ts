/**
 * Payloads of frames: MessagePack maps of plain data (null, booleans, numbers, strings, bytes, arrays, maps,
 * undefined).
 *
 * Invariant: what is decoded costs memory in proportion to its bytes. MessagePack lets five bytes announce four
 * billion elements, and msgpackr's extension types build Sets, Errors and regular expressions; a peer may be
 * malicious, so the tokens are walked before they are decoded.
 * Leaves to others: frames (frame.ts), what the fields mean (messages.ts).
 *
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { Packr, RESERVE_START_SPACE, Unpackr } from 'msgpackr'
import { ClusterError } from '../errors.ts'

export const codecLimits = {
  /** Many small payloads share one buffer of this size; a queued one keeps at most this much alive. Bytes. */
  encodeBufferBytes: 64 * 1024,
} as const

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })
packr.useBuffer(Buffer.allocUnsafeSlow(codecLimits.encodeBufferBytes))

/**
 * `value` as MessagePack behind `reserve` (0 to 255) bytes that the caller fills. The result is the caller's own.
 */
export function encodePayload(value: unknown, reserve: number): Buffer {
  const encoded = packr.pack(value, RESERVE_START_SPACE + reserve)
  if (encoded.buffer.byteLength > codecLimits.encodeBufferBytes) {
    // The packer grew: without this every later small payload would keep a buffer of the largest one alive.
    packr.useBuffer(Buffer.allocUnsafeSlow(codecLimits.encodeBufferBytes))
  }
  return encoded
}

/**
 * The value in `bytes`; byte strings in it are views of `bytes`.
 * Throws ClusterError BadMessage when it is malformed, has trailing bytes or is not plain data.
 */
export function decodePayload(bytes: Uint8Array): unknown {
  assertPlain(bytes)
  try {
    return unpackr.unpack(bytes)
  } catch (cause) {
    throw new ClusterError('BadMessage', 'payload is no valid MessagePack', { cause })
  }
}

/** Walks the tokens without recursion: every value that is announced must still have a byte of its own. */
function assertPlain(bytes: Uint8Array): void {
  const end = bytes.length
  let at = 0
  let expected = 1
  while (expected > 0) {
    if (expected > end - at) refuse('announces more values than it has bytes')
    const token = bytes[at++] ?? 0xc1
    expected--
    if (token < 0x80 || token >= 0xe0) continue
    if (token < 0x90) expected += (token & 0x0f) * 2
    else if (token < 0xa0) expected += token & 0x0f
    else if (token < 0xc0) at += token & 0x1f
    else {
      const size = lengthBytes[token - 0xc0] ?? -1
      if (size < 0) refuse(`has a token 0x${token.toString(16)} that is not plain data`)
      if (end - at < size) refuse('is cut off')
      const kind = kinds[token - 0xc0]
      if (kind === 'fixed') at += size
      else if (kind === 'undefined') {
        if (bytes[at] !== 0 || bytes[at + 1] !== 0) refuse('has an extension type')
        at += size
      } else {
        let length = 0
        for (let i = 0; i < size; i++) length = length * 256 + (bytes[at + i] ?? 0)
        at += size
        if (kind === 'bytes') at += length
        else expected += kind === 'map' ? length * 2 : length
      }
    }
  }
  if (at !== end) refuse('does not end where its frame says')
}

function refuse(why: string): never {
  throw new ClusterError('BadMessage', `payload ${why}`)
}

type TokenKind = 'fixed' | 'bytes' | 'array' | 'map' | 'undefined' | 'no'

/** For tokens 0xc0 to 0xdf: how many bytes follow (the value, or its length) and what they mean. */
const table: readonly (readonly [TokenKind, number])[] = [
  ['fixed', 0], // c0 nil
  ['no', -1], // c1 never used
  ['fixed', 0], // c2 false
  ['fixed', 0], // c3 true
  ['bytes', 1], // c4 bin 8
  ['bytes', 2],
  ['bytes', 4],
  ['no', -1], // c7 ext 8
  ['no', -1],
  ['no', -1],
  ['fixed', 4], // ca float 32
  ['fixed', 8],
  ['fixed', 1], // cc uint 8
  ['fixed', 2],
  ['fixed', 4],
  ['fixed', 8],
  ['fixed', 1], // d0 int 8
  ['fixed', 2],
  ['fixed', 4],
  ['fixed', 8],
  ['undefined', 2], // d4 fixext 1: type 0 is how msgpackr writes undefined
  ['no', -1], // d5 fixext 2
  ['no', -1],
  ['no', -1],
  ['no', -1],
  ['bytes', 1], // d9 str 8
  ['bytes', 2],
  ['bytes', 4],
  ['array', 2], // dc array 16
  ['array', 4],
  ['map', 2], // de map 16
  ['map', 4],
]
const kinds = table.map(([kind]) => kind)
const lengthBytes = table.map(([, size]) => size)
