/**
 * Frames: how requests, replies and errors become bytes on a connection, and bytes become frames again.
 *
 * A frame is a header of 20 bytes, a MessagePack payload and an optional body of raw bytes:
 *
 *     0 version u8 | 1 kind u8 | 2 message id u16 | 4 request id u32 | 8 payload bytes u32 | 12 body bytes u32
 *     | 16 deadline u32 (ms that are left when the frame is written; 0: none)       all little-endian
 *
 * Invariants: nothing is allocated that the bounds do not allow; a body byte is copied at most once here; after an
 * error the parser is dead, because nobody knows where the next frame starts.
 *
 * Compatibility (N and N-1): the version is agreed on by ALPN before the first frame, every process offers its own
 * and the one before it, and the header's version byte must be the agreed one. Within a version message ids and
 * fields are only added: an unknown message id is answered with BadMessage and the connection goes on, unknown
 * fields are ignored, an unknown kind of frame is an error. Bytes of every kind are held by test/golden/wire.
 *
 * Leaves to others: what is in payloads (messages.ts), connections (io/tls-transport.ts).
 */
import { ClusterError } from '../errors.ts'
import { BodyPool, type PooledBody } from './body-pool.ts'
import { encodePayload } from './codec.ts'
import type { ConnectionClass } from './messages.ts'

export const frameVersion = 1
export const frameHeaderBytes = 20

export const frameLimits = {
  /** Largest MessagePack payload: a Raft append of many entries. The sender's batches are smaller. Bytes. */
  payloadBytes: 8 * 1024 * 1024,
  /** Largest body: 4 MiB of cells and the 8 bytes behind each, down to cells of 1 KiB. Bytes. */
  bodyBytes: { control: 64 * 1024, bulk: 4 * 1024 * 1024 + 64 * 1024 },
  /** Payloads up to this size may stay a view of the chunk they came in; it keeps at most one TLS record alive. */
  viewBytes: 16 * 1024,
} as const satisfies Record<string, number | Record<ConnectionClass, number>>

export const frameKinds = { request: 1, reply: 2, error: 3, oneWay: 4, cancel: 5 } as const
export type FrameKind = keyof typeof frameKinds

const kindNames: readonly (FrameKind | undefined)[] = [
  undefined,
  'request',
  'reply',
  'error',
  'oneWay',
  'cancel',
]

export interface FrameHeader {
  readonly kind: FrameKind
  /** From the table in messages.ts; the reply and the error repeat the request's. */
  readonly messageId: number
  /** Chosen by the caller, unique among its open requests of one connection; 0 for one-way frames. */
  readonly requestId: number
  /** Milliseconds left for the answer when the frame was written; 0: no deadline. */
  readonly deadlineMs: number
}

export interface Frame extends FrameHeader {
  /** Undecoded MessagePack; empty when there is no value. */
  readonly payload: Buffer
  readonly body: Buffer | undefined
  /** Gives the body's buffer back to the pool; undefined when there is no body. */
  readonly release: (() => void) | undefined
}

/**
 * Header and payload of a frame in one buffer; the sender writes the body's `bodyBytes` right behind it.
 * Throws ClusterError BadMessage when the frame would be over the bounds of its connection.
 */
export function encodeFrame(
  header: FrameHeader,
  value: unknown,
  options: { bodyBytes: number; connection: ConnectionClass },
): Buffer {
  const bytes =
    value === undefined ? Buffer.allocUnsafe(frameHeaderBytes) : encodePayload(value, frameHeaderBytes)
  const payloadBytes = bytes.length - frameHeaderBytes
  if (payloadBytes > frameLimits.payloadBytes) {
    throw new ClusterError('BadMessage', `payload of ${payloadBytes} bytes is over the bound`)
  }
  if (options.bodyBytes > frameLimits.bodyBytes[options.connection]) {
    throw new ClusterError('BadMessage', `body of ${options.bodyBytes} bytes is over the bound`)
  }
  bytes[0] = frameVersion
  bytes[1] = frameKinds[header.kind]
  bytes.writeUInt16LE(header.messageId, 2)
  bytes.writeUInt32LE(header.requestId, 4)
  bytes.writeUInt32LE(payloadBytes, 8)
  bytes.writeUInt32LE(options.bodyBytes, 12)
  bytes.writeUInt32LE(Math.min(Math.max(Math.ceil(header.deadlineMs), 0), 0xffff_ffff), 16)
  return bytes
}

/**
 * Turns the chunks of one connection into frames.
 *
 * Two ways in: `push` takes a chunk as it came; `bodyTarget` and `bodyFilled` let a socket decrypt straight into
 * the body that is under way.
 */
export class FrameParser {
  readonly #connection: ConnectionClass
  readonly #onFrame: (frame: Frame) => void
  readonly #bodies: BodyPool
  readonly #header = Buffer.allocUnsafeSlow(frameHeaderBytes)
  #headerBytes = 0
  #current: FrameHeader | undefined
  #payload: Buffer | undefined
  #payloadLength = 0
  #payloadBytes = 0
  #body: PooledBody | undefined
  #bodyLength = 0
  #bodyBytes = 0
  #dead = false

  /** `onFrame` is called synchronously, in order; what it throws leaves `push`. Bodies come from `bodies`. */
  constructor(
    connection: ConnectionClass,
    onFrame: (frame: Frame) => void,
    bodies: BodyPool = new BodyPool(),
  ) {
    this.#connection = connection
    this.#onFrame = onFrame
    this.#bodies = bodies
  }

  /** Whether the bytes so far end between two frames. */
  get idle(): boolean {
    return this.#current === undefined && this.#headerBytes === 0
  }

  /**
   * Takes the next bytes. `owned`: the parser may keep views of `chunk` (nobody writes to it again).
   * Throws ClusterError BadMessage on bytes that are no frame or over the bounds; the connection must be closed.
   */
  push(chunk: Buffer, options: { owned: boolean }): void {
    if (this.#dead) throw new ClusterError('BadMessage', 'connection already had a malformed frame')
    let at = 0
    while (at < chunk.length) {
      if (this.#current === undefined) at = this.#takeHeader(chunk, at)
      else if (this.#payloadBytes < this.#payloadLength) at = this.#takePayload(chunk, at, options.owned)
      else at = this.#takeBody(chunk, at)
    }
  }

  /** Where the next bytes of a body that is under way belong; undefined when none is. */
  bodyTarget(): Buffer | undefined {
    if (this.#body === undefined || this.#payloadBytes < this.#payloadLength) return undefined
    return this.#body.bytes.subarray(this.#bodyBytes)
  }

  /** `count` bytes were written to the start of the last `bodyTarget`. */
  bodyFilled(count: number): void {
    this.#bodyBytes += count
    if (this.#bodyBytes === this.#bodyLength) this.#finish()
  }

  #takeHeader(chunk: Buffer, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= frameHeaderBytes) {
      this.#begin(chunk, at)
      return at + frameHeaderBytes
    }
    const count = Math.min(frameHeaderBytes - this.#headerBytes, chunk.length - at)
    chunk.copy(this.#header, this.#headerBytes, at, at + count)
    this.#headerBytes += count
    // Checked as soon as it is there: a peer that speaks something else should not wait for 20 bytes.
    if (this.#header[0] !== frameVersion) this.#refuse(`starts with 0x${this.#header[0]?.toString(16)}`)
    if (this.#headerBytes === frameHeaderBytes) this.#begin(this.#header, 0)
    return at + count
  }

  #begin(bytes: Buffer, at: number): void {
    const kind = kindNames[bytes[at + 1] ?? 0]
    if (bytes[at] !== frameVersion) this.#refuse(`starts with 0x${bytes[at]?.toString(16)}`)
    if (kind === undefined) this.#refuse(`has unknown kind ${bytes[at + 1]}`)
    this.#payloadLength = bytes.readUInt32LE(at + 8)
    this.#bodyLength = bytes.readUInt32LE(at + 12)
    if (this.#payloadLength > frameLimits.payloadBytes) {
      this.#refuse(`announces a payload of ${this.#payloadLength} bytes`)
    }
    if (this.#bodyLength > frameLimits.bodyBytes[this.#connection]) {
      this.#refuse(`announces a body of ${this.#bodyLength} bytes`)
    }
    this.#current = {
      kind,
      messageId: bytes.readUInt16LE(at + 2),
      requestId: bytes.readUInt32LE(at + 4),
      deadlineMs: bytes.readUInt32LE(at + 16),
    }
    this.#headerBytes = 0
    if (this.#bodyLength > 0) this.#body = this.#bodies.take(this.#bodyLength)
    if (this.#payloadLength + this.#bodyLength === 0) this.#finish()
  }

  #takePayload(chunk: Buffer, at: number, owned: boolean): number {
    const count = Math.min(this.#payloadLength - this.#payloadBytes, chunk.length - at)
    if (count === this.#payloadLength) {
      const view = chunk.subarray(at, at + count)
      this.#payload = owned && chunk.length <= frameLimits.viewBytes ? view : Buffer.from(view)
    } else {
      this.#payload ??= Buffer.allocUnsafeSlow(this.#payloadLength)
      chunk.copy(this.#payload, this.#payloadBytes, at, at + count)
    }
    this.#payloadBytes += count
    if (this.#payloadBytes === this.#payloadLength && this.#bodyLength === 0) this.#finish()
    return at + count
  }

  #takeBody(chunk: Buffer, at: number): number {
    const count = Math.min(this.#bodyLength - this.#bodyBytes, chunk.length - at)
    if (this.#body !== undefined) chunk.copy(this.#body.bytes, this.#bodyBytes, at, at + count)
    this.bodyFilled(count)
    return at + count
  }

  #finish(): void {
    const header = this.#current
    if (header === undefined) throw new Error('a frame ended that had not begun')
    const frame: Frame = {
      kind: header.kind,
      messageId: header.messageId,
      requestId: header.requestId,
      deadlineMs: header.deadlineMs,
      payload: this.#payload ?? noBytes,
      body: this.#body?.bytes,
      release: this.#body?.release,
    }
    this.#current = undefined
    this.#payload = undefined
    this.#body = undefined
    this.#payloadLength = this.#payloadBytes = this.#bodyLength = this.#bodyBytes = 0
    this.#onFrame(frame)
  }

  #refuse(why: string): never {
    this.#dead = true
    throw new ClusterError('BadMessage', `frame ${why}`)
  }
}

const noBytes = Buffer.alloc(0)
