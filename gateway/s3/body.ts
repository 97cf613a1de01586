/**
 * A request body as the store consumes it: decoded, of known length, every digest verified before anything commits.
 * The file of a form has an open end: so many bytes are sure, the few that may follow are its `tail`.
 *
 * Invariant: `chunks` yields exactly `bytes` bytes or throws; `finish` returns only when every digest that the client
 * sent (payload hash, Content-MD5, checksum in header or trailer) matches what was yielded.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Checksum, ChecksumAlgorithm } from '../../node/core/catalog-types.ts'
import type { Md5Stream } from '../../wasm/md5.ts'
import { ChunkDecoder } from '../auth/chunked.ts'
import type { Payload } from '../auth/payload.ts'
import type { GatewayLimits } from '../limits.ts'
import type { BodyDigests, BodySource } from '../object/object-store.ts'
import {
  type ClientChecksum,
  checkDigestText,
  checksums,
  clientChecksum,
  createSha256,
  createUploadMd5,
  type Digester,
  defaultAlgorithm,
} from './checksum.ts'
import { S3Error } from './errors.ts'
import type { ByteReader } from './form.ts'
import type { Headers } from './headers.ts'

function parseLength(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}

/** Whether a message body follows the headers (RFC 9112 section 6.3). */
export function announcesBody(raw: IncomingMessage): boolean {
  if (raw.headers['transfer-encoding'] !== undefined) return true
  const length = raw.headers['content-length']
  return length !== undefined && length !== '0'
}

/**
 * Plaintext bytes that the headers announce. Throws MissingContentLength, EntityTooLarge.
 * `optional`: a request without any length has an empty body.
 */
export function announcedBytes(
  headers: Headers,
  payload: Payload,
  bounds: { bytesMax: number; optional: boolean },
): number {
  const chunked = payload.kind === 'chunked-signed' || payload.kind === 'chunked-unsigned'
  const bytes = parseLength(headers[chunked ? 'x-amz-decoded-content-length' : 'content-length'])
  if (bytes === undefined) {
    if (bounds.optional && headers['transfer-encoding'] === undefined) return 0
    throw new S3Error('MissingContentLength')
  }
  if (bytes > bounds.bytesMax) throw entityTooLarge(bytes, bounds.bytesMax)
  return bytes
}

export function entityTooLarge(bytes: number, bytesMax: number): S3Error {
  return new S3Error('EntityTooLarge', undefined, {
    details: { ProposedSize: bytes, MaxSizeAllowed: bytesMax },
  })
}

function entityTooSmall(bytes: number, bytesMin: number): S3Error {
  return new S3Error('EntityTooSmall', undefined, {
    details: { ProposedSize: bytes, MinSizeAllowed: bytesMin },
  })
}

/** AWS ignores fields behind the file; we can as long as they are few: see form.ts. */
function fileIsNotLast(): S3Error {
  return new S3Error('MalformedPOSTRequest', 'The file must be the last field of the form.')
}

function contentMd5(headers: Headers): Buffer | undefined {
  const text = headers['content-md5']
  if (text === undefined) return undefined
  const digest = Buffer.from(text, 'base64')
  if (digest.length !== 16)
    throw new S3Error('InvalidDigest', undefined, { details: { 'Content-MD5': text } })
  return digest
}

/** How long a body may get whose length shows only at its end. */
export interface OpenEnd {
  /** At most so many bytes follow the ones announced. */
  readonly tailBytesMax: number
  /** What the whole may have, both ends included; else EntityTooSmall, EntityTooLarge. */
  readonly bytesMin: number
  readonly bytesMax: number
}

export interface UploadBodyOptions {
  readonly wire: ByteReader
  readonly headers: Headers
  readonly payload: Payload
  readonly bytes: number
  readonly limits: GatewayLimits
  /** Whether `x-amz-checksum-*` headers speak of this body. */
  readonly checksum: boolean
  /** Absent: the body has exactly `bytes`. */
  readonly openEnd?: OpenEnd
}

export class UploadBody implements BodySource {
  readonly bytes: number
  /** Whether the client sent a digest of the body (Content-MD5 or a checksum), as DeleteObjects demands. */
  readonly hasDigest: boolean
  readonly #options: UploadBodyOptions
  readonly #decoder: ChunkDecoder | undefined
  readonly #client: ClientChecksum | undefined
  readonly #md5Wanted: Buffer | undefined
  readonly #md5: Md5Stream
  #sha256: Digester | undefined
  readonly #computed = new Map<ChecksumAlgorithm, Digester>()
  #digesters: Digester[] = []
  #stored: ChecksumAlgorithm
  readonly #pending: Buffer[] = []
  #yieldedBytes = 0
  #tailBytes = 0
  #ended = false
  #verified: Checksum | undefined

  /** Throws InvalidDigest, InvalidRequest for digests that cannot be right, before any byte is read. */
  constructor(options: UploadBodyOptions) {
    this.#options = options
    this.bytes = options.bytes
    this.#md5 = createUploadMd5(options.bytes)
    this.#client = options.checksum ? clientChecksum(options.headers) : undefined
    this.#md5Wanted = contentMd5(options.headers)
    this.hasDigest = this.#client !== undefined || this.#md5Wanted !== undefined
    this.#stored = this.#client?.algorithm ?? defaultAlgorithm
    const { payload, limits, bytes } = options
    if (payload.kind === 'chunked-signed' || payload.kind === 'chunked-unsigned') {
      this.#decoder = new ChunkDecoder({
        bytes,
        limits,
        trailer: payload.trailer,
        ...(payload.kind === 'chunked-signed' ? { signing: payload.signing } : {}),
      })
    }
  }

  /** Bytes taken so far, the tail's among them; after `finish` all of them. */
  get receivedBytes(): number {
    return this.#yieldedBytes + this.#tailBytes
  }

  /** The checksum that the client sent, verified; undefined when it sent none. After `finish`. */
  get verified(): Checksum | undefined {
    return this.#verified
  }

  /** The algorithm of the client's checksum, known before the body is read. */
  get clientAlgorithm(): ChecksumAlgorithm | undefined {
    return this.#client?.algorithm
  }

  /** What to compute and keep, when it is not what the client sent. Before the body is read. */
  store(algorithm: ChecksumAlgorithm): void {
    this.#stored = algorithm
  }

  get chunks(): AsyncIterable<Buffer> {
    this.#prepare()
    const iterator: AsyncIterator<Buffer> = {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  /** Of a body with an open end: the bytes behind `chunks`. */
  get tail(): (() => Promise<Buffer>) | undefined {
    const { openEnd } = this.#options
    return openEnd === undefined ? undefined : () => this.#readTail(openEnd)
  }

  /** Reads what follows the last byte (final chunk, trailers) when the consumer stopped at the count. */
  async finish(): Promise<BodyDigests> {
    if (!this.#ended) await this.#next()
    return this.#verify(await this.#md5.digest())
  }

  /** Gives up what `finish` did not take: for every body, however its request ended. */
  close(): void {
    this.#md5.abort()
  }

  #prepare(): void {
    if (this.#digesters.length > 0) throw new Error('a body is read once')
    const { payload } = this.#options
    const algorithms = new Set<ChecksumAlgorithm>([this.#stored])
    if (this.#client !== undefined) algorithms.add(this.#client.algorithm)
    for (const algorithm of algorithms) this.#computed.set(algorithm, checksums[algorithm].create())
    this.#digesters = [...this.#computed.values()]
    if (payload.kind === 'hash' && !this.#computed.has('SHA256')) {
      this.#sha256 = createSha256()
      this.#digesters.push(this.#sha256)
    }
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    const open = this.#options.openEnd !== undefined
    if (open && this.#yieldedBytes === this.bytes) return { done: true, value: undefined }
    if (this.bytes === 0 && this.#decoder === undefined) return this.#end()
    while (this.#pending.length === 0) {
      const chunk = await this.#options.wire.read()
      if (chunk === undefined) return this.#end()
      if (this.#decoder === undefined) this.#pending.push(chunk)
      else this.#decoder.push(chunk, this.#pending)
    }
    let value = this.#pending.shift()
    if (value === undefined) return this.#end()
    const left = this.bytes - this.#yieldedBytes
    if (value.length > left) {
      if (!open) throw new S3Error('IncompleteBody')
      this.#pending.unshift(value.subarray(left))
      value = value.subarray(0, left)
    }
    this.#yieldedBytes += value.length
    await this.#measure(value)
    return { done: false, value }
  }

  async #measure(data: Buffer): Promise<void> {
    for (const digester of this.#digesters) digester.update(data)
    const room = this.#md5.update(data)
    if (room !== undefined) await room
  }

  async #readTail({ tailBytesMax, bytesMin, bytesMax }: OpenEnd): Promise<Buffer> {
    const parts = this.#pending.splice(0)
    for (let chunk = await this.#options.wire.read(); chunk !== undefined; ) {
      parts.push(chunk)
      chunk = await this.#options.wire.read()
    }
    const tail = Buffer.concat(parts)
    const bytes = this.bytes + tail.length
    if (this.#yieldedBytes !== this.bytes || tail.length > tailBytesMax) throw new S3Error('IncompleteBody')
    if (bytes < bytesMin) throw entityTooSmall(bytes, bytesMin)
    if (bytes > bytesMax) throw entityTooLarge(bytes, bytesMax)
    await this.#measure(tail)
    this.#tailBytes = tail.length
    this.#ended = true
    return tail
  }

  #end(): IteratorResult<Buffer> {
    this.#decoder?.end()
    if (this.#yieldedBytes !== this.bytes) {
      if (this.#options.openEnd !== undefined) throw fileIsNotLast()
      throw new S3Error('IncompleteBody')
    }
    this.#ended = true
    return { done: true, value: undefined }
  }

  #verify(md5: Buffer): BodyDigests {
    if (!this.#ended) throw new S3Error('IncompleteBody')
    const results = new Map<ChecksumAlgorithm, Buffer>()
    for (const [algorithm, digester] of this.#computed) results.set(algorithm, digester.digest())
    this.#verifyPayloadHash(results.get('SHA256'))
    if (this.#md5Wanted !== undefined && !timingSafeEqual(md5, this.#md5Wanted)) {
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
        details: {
          ExpectedDigest: this.#md5Wanted.toString('base64'),
          CalculatedDigest: md5.toString('base64'),
        },
      })
    }
    this.#verifyChecksum(results)
    const value = results.get(this.#stored)?.toString('base64') ?? ''
    return {
      md5: md5.toString('hex'),
      checksum: { algorithm: this.#stored, type: 'FULL_OBJECT', value },
    }
  }

  #verifyPayloadHash(sha256OfChecksum: Buffer | undefined): void {
    const { payload } = this.#options
    if (payload.kind !== 'hash') return
    const computed = (sha256OfChecksum ?? this.#sha256?.digest())?.toString('hex')
    if (computed === payload.sha256) return
    throw new S3Error('XAmzContentSHA256Mismatch', undefined, {
      details: {
        ClientComputedContentSHA256: payload.sha256,
        S3ComputedContentSHA256: computed ?? '',
      },
    })
  }

  #verifyChecksum(results: ReadonlyMap<ChecksumAlgorithm, Buffer>): void {
    if (this.#client === undefined) return
    const { algorithm } = this.#client
    const expected = this.#client.value ?? this.#trailerValue(algorithm)
    const computed = results.get(algorithm)?.toString('base64')
    if (expected !== computed) {
      throw new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
    }
    this.#verified = { algorithm, type: 'FULL_OBJECT', value: expected ?? '' }
  }

  #trailerValue(algorithm: ChecksumAlgorithm): string {
    const value = this.#decoder?.trailers.get(checksums[algorithm].header)
    if (value === undefined) throw new S3Error('MalformedTrailerError')
    checkDigestText(algorithm, value)
    return value
  }
}

/** Collects a small body and verifies it. Throws MaxMessageLengthExceeded before reading when it is too large. */
export async function collectBody(body: UploadBody, bytesMax: number): Promise<Buffer> {
  if (body.bytes > bytesMax) throw new S3Error('MaxMessageLengthExceeded')
  const parts: Buffer[] = []
  for await (const chunk of body.chunks) parts.push(chunk)
  await body.finish()
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}
