/**
 * The aws-chunked encoding: payload in signed or unsigned chunks, trailers after the last. A push decoder.
 *
 * Invariants: payload comes out as slices of what went in, no byte is looked at outside header lines; every signature
 * is checked, in constant time, before the next chunk begins and before `end` returns; lines are bounded; a body that
 * stops anywhere before its end makes `end` throw IncompleteBody.
 * Source: AWS, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
 * "... with trailing headers".
 */
import { createHash, createHmac, type Hash, hash, timingSafeEqual } from 'node:crypto'
import type { GatewayLimits } from '../limits.ts'
import { S3Error } from '../s3/errors.ts'

/** Where the chain of chunk signatures begins: the request's own signature and the key that made it. */
export interface ChunkSigning {
  readonly key: Buffer
  /** `YYYYMMDDTHHMMSSZ` of the request. */
  readonly amzDate: string
  readonly scope: string
  readonly seedSignature: string
}

const emptySha256 = hash('sha256', '')
const lineFeed = 10

/** Whether two hex signatures are equal, in time that does not depend on where they differ. */
export function signaturesMatch(given: string, computed: string): boolean {
  const a = Buffer.from(given, 'latin1')
  const b = Buffer.from(computed, 'latin1')
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The chain of signatures of one body: each signs the one before. */
export class ChunkSigner {
  readonly #signing: ChunkSigning
  #previous: string
  #hash: Hash | undefined

  constructor(signing: ChunkSigning) {
    this.#signing = signing
    this.#previous = signing.seedSignature
  }

  update(data: Buffer): void {
    this.#hash ??= createHash('sha256')
    this.#hash.update(data)
  }

  /** Signature of the chunk whose data were updated since the last call. */
  sign(): string {
    const { amzDate, scope } = this.#signing
    const dataHash = this.#hash?.digest('hex') ?? emptySha256
    this.#hash = undefined
    return this.#link(
      `AWS4-HMAC-SHA256-PAYLOAD\n${amzDate}\n${scope}\n${this.#previous}\n${emptySha256}\n${dataHash}`,
    )
  }

  /** `lines`: `name:value\n` for each trailer in order. */
  signTrailer(lines: string): string {
    const { amzDate, scope } = this.#signing
    return this.#link(
      `AWS4-HMAC-SHA256-TRAILER\n${amzDate}\n${scope}\n${this.#previous}\n${hash('sha256', lines)}`,
    )
  }

  #link(stringToSign: string): string {
    this.#previous = createHmac('sha256', this.#signing.key).update(stringToSign).digest('hex')
    return this.#previous
  }
}

export interface ChunkDecoderOptions {
  /** Payload bytes announced by x-amz-decoded-content-length. */
  readonly bytes: number
  /** Whether trailers follow the last chunk. */
  readonly trailer: boolean
  readonly signing?: ChunkSigning
  readonly limits: GatewayLimits
}

type State = 'header' | 'data' | 'data-end' | 'trailer' | 'done'

const signatureTrailer = 'x-amz-trailer-signature'

function incomplete(reason: string): S3Error {
  return new S3Error('IncompleteBody', undefined, { cause: new Error(reason) })
}

function malformedChunk(reason: string): S3Error {
  return new S3Error('InvalidRequest', 'The aws-chunked encoding of the body is not well-formed.', {
    cause: new Error(reason),
  })
}

export class ChunkDecoder {
  readonly #options: ChunkDecoderOptions
  readonly #signer: ChunkSigner | undefined
  readonly trailers = new Map<string, string>()
  #state: State = 'header'
  /** The line begun so far; empty between lines. */
  #line = ''
  #trailerLines = ''
  #trailerBytes = 0
  #trailerSignature: string | undefined
  #chunkSignature = ''
  #chunkLeft = 0
  #lastChunkBytes = Number.POSITIVE_INFINITY
  #payloadBytes = 0

  constructor(options: ChunkDecoderOptions) {
    this.#options = options
    this.#signer = options.signing === undefined ? undefined : new ChunkSigner(options.signing)
  }

  /** Appends the payload in `raw` to `out` as slices of it. Throws SignatureDoesNotMatch, InvalidChunkSizeError, InvalidRequest, IncompleteBody. */
  push(raw: Buffer, out: Buffer[]): void {
    let offset = 0
    while (offset < raw.length) {
      if (this.#state === 'data') offset = this.#takeData(raw, offset, out)
      else offset = this.#takeLine(raw, offset)
    }
  }

  /** The body has ended. Throws IncompleteBody, MalformedTrailerError, SignatureDoesNotMatch when it should not have. */
  end(): void {
    const lastSeen = this.#state === 'trailer' || this.#state === 'done'
    if (!lastSeen) throw incomplete('the body stops before its last chunk')
    if (this.#payloadBytes !== this.#options.bytes) throw incomplete('fewer bytes than announced')
    if (this.#state === 'trailer' && this.#options.trailer) {
      // Some clients leave out the empty line after the trailers; nothing is missing then but that line.
      if (this.trailers.size === 0 || this.#line !== '')
        throw incomplete('the body stops within its trailers')
      this.#endTrailers()
    }
  }

  #takeData(raw: Buffer, offset: number, out: Buffer[]): number {
    const take = Math.min(this.#chunkLeft, raw.length - offset)
    const slice = raw.subarray(offset, offset + take)
    this.#signer?.update(slice)
    out.push(slice)
    this.#chunkLeft -= take
    if (this.#chunkLeft === 0) {
      this.#checkChunk()
      this.#state = 'data-end'
    }
    return offset + take
  }

  #takeLine(raw: Buffer, offset: number): number {
    const at = raw.indexOf(lineFeed, offset)
    const stop = at < 0 ? raw.length : at
    const { chunkHeaderBytesMax, trailerBytesMax } = this.#options.limits
    const bound = this.#state === 'header' ? chunkHeaderBytesMax : trailerBytesMax
    if (this.#line.length + stop - offset > bound) throw malformedChunk('a line is too long')
    this.#line += raw.toString('latin1', offset, stop)
    if (at < 0) return raw.length
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    this.#onLine(line)
    return at + 1
  }

  #onLine(line: string): void {
    switch (this.#state) {
      case 'header':
        this.#onHeader(line)
        return
      case 'data-end':
        if (line !== '') throw malformedChunk('data run over their chunk')
        this.#state = 'header'
        return
      case 'trailer':
        this.#onTrailer(line)
        return
      default:
        if (line !== '') throw malformedChunk('data after the end')
    }
  }

  #onHeader(line: string): void {
    const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line)
    if (match === null) throw malformedChunk('no chunk header')
    const size = Number.parseInt(match[1] ?? '', 16)
    if (this.#signer !== undefined) {
      if (match[2] === undefined) throw malformedChunk('no chunk signature')
      this.#chunkSignature = match[2]
      this.#checkSize(size)
    }
    this.#payloadBytes += size
    if (this.#payloadBytes > this.#options.bytes) throw incomplete('more bytes than announced')
    this.#chunkLeft = size
    if (size > 0) {
      this.#state = 'data'
      return
    }
    this.#checkChunk()
    this.#state = 'trailer'
  }

  /** Small signed chunks are refused: each costs two HMACs. Only the last one with data may be small. */
  #checkSize(size: number): void {
    if (size > 0 && this.#lastChunkBytes < this.#options.limits.signedChunkBytesMin) {
      throw new S3Error('InvalidChunkSizeError', undefined, {
        details: { BadChunkSize: this.#lastChunkBytes },
      })
    }
    this.#lastChunkBytes = size
  }

  #checkChunk(): void {
    if (this.#signer === undefined) return
    if (!signaturesMatch(this.#chunkSignature, this.#signer.sign()))
      throw new S3Error('SignatureDoesNotMatch')
  }

  #onTrailer(line: string): void {
    if (line === '') {
      if (this.#options.trailer) this.#endTrailers()
      this.#state = 'done'
      return
    }
    if (!this.#options.trailer) throw malformedChunk('a trailer that was not announced')
    this.#trailerBytes += line.length
    const colon = line.indexOf(':')
    if (colon <= 0 || this.#trailerBytes > this.#options.limits.trailerBytesMax) {
      throw new S3Error('MalformedTrailerError')
    }
    const name = line.slice(0, colon).trim().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === signatureTrailer) {
      this.#trailerSignature = value
      return
    }
    if (this.trailers.has(name)) throw new S3Error('MalformedTrailerError')
    this.trailers.set(name, value)
    this.#trailerLines += `${name}:${value}\n`
  }

  #endTrailers(): void {
    this.#state = 'done'
    if (this.#signer === undefined) return
    if (this.#trailerSignature === undefined) throw new S3Error('MalformedTrailerError')
    const computed = this.#signer.signTrailer(this.#trailerLines)
    if (!signaturesMatch(this.#trailerSignature, computed)) throw new S3Error('SignatureDoesNotMatch')
  }
}
