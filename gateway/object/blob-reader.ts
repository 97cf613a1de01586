/**
 * The blob reader: a range of a blob's plaintext, decrypted and authenticated segment by segment.
 *
 * Reads ahead by one run of stripes while the consumer takes the current one; memory is bounded by two runs. Bytes
 * that fail authentication are fetched again without each shard in turn: a holder that lies is outvoted by the code.
 * Never yields a byte whose segment was not authenticated, never ends early without throwing.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { Blob, ShardedBlob } from '../../node/core/catalog-types.ts'
import { type ByteRange, type Geometry, piecesAt, stripesOf } from '../../node/core/geometry.ts'
import { ClusterError } from '../../node/errors.ts'
import { ByteQueue } from './byte-queue.ts'
import type { Codecs } from './codecs.ts'
import { SegmentDecryptor, type SegmentStream, TAG_BYTES } from './segments.ts'
import { StripeFetcher, type StripeRun } from './stripe-fetcher.ts'

export const readerLimits = {
  /** Ciphertext of one run of stripes: what is fetched at a time. Two runs per reader are in memory. */
  runBytes: 2 * 1024 * 1024,
} as const

export interface BlobToRead extends SegmentStream {
  readonly blob: Blob
  readonly signal: AbortSignal | undefined
}

export class BlobReader {
  readonly #cluster: ClusterClient
  readonly #codecs: Codecs
  readonly #onDegraded: () => void

  constructor(cluster: ClusterClient, codecs: Codecs, onDegraded: () => void) {
    this.#cluster = cluster
    this.#codecs = codecs
    this.#onDegraded = onDegraded
  }

  /** Plaintext of `range` (inside the blob). Throws ReadQuorumUnavailable or DecryptionFailed. */
  async *read(source: BlobToRead, range: ByteRange): AsyncGenerator<Buffer> {
    const firstSegment = Math.floor(range.firstByte / source.segmentBytes)
    const lastSegment = Math.floor(range.lastByte / source.segmentBytes)
    const decryptor = new SegmentDecryptor(source, firstSegment)
    const window = new PlainWindow(range, firstSegment * source.segmentBytes)
    const cipherRange = {
      firstByte: cipherRangeOf(source, firstSegment).firstByte,
      lastByte: cipherRangeOf(source, lastSegment).lastByte,
    }
    const cipher = new ByteQueue()
    const lent = new LentRuns()
    let segment = firstSegment
    for await (const { pieces, release } of this.#cipherRuns(source, cipherRange)) {
      for (const piece of pieces) cipher.push(piece)
      lent.add(pieces, release)
      while (segment <= lastSegment && cipher.bytes >= decryptor.nextBytes) {
        const plain = await this.#decrypt(source, decryptor, {
          segment,
          pieces: cipher.take(decryptor.nextBytes),
        })
        segment++
        lent.consumedAllBut(cipher.bytes)
        yield* window.cut(plain)
      }
    }
    if (segment !== lastSegment + 1)
      throw new ClusterError('Internal', 'a blob ended before its last segment')
  }

  /** Ciphertext of a range, run by run; the next run is fetched while the consumer works on this one. */
  async *#cipherRuns(source: BlobToRead, range: ByteRange): AsyncGenerator<CipherRun> {
    if (source.blob.kind === 'inline') {
      const { buffer, byteOffset } = source.blob.data
      const pieces = [Buffer.from(buffer, byteOffset + range.firstByte, range.lastByte + 1 - range.firstByte)]
      yield { pieces, release: nothingLent }
      return
    }
    const fetcher = this.#fetcher(source.blob, source.signal)
    const runs = runsOf(fetcher.geometry, range)
    const start = (run: StripeRun | undefined) => {
      if (run === undefined) return undefined
      const fetched = fetchPieces(fetcher, run, range)
      // Read ahead may fail before its turn; the error is thrown when it is awaited below.
      fetched.catch(awaitedLater)
      return fetched
    }
    let next = start(runs[0])
    for (let i = 0; i < runs.length; i++) {
      const fetched = await next
      next = start(runs[i + 1])
      if (fetched !== undefined) yield fetched
    }
  }

  /**
   * Decrypts one segment. When it fails authentication some holder gave wrong bytes with a right checksum: fetches
   * it again without each shard in turn.
   */
  async #decrypt(
    source: BlobToRead,
    decryptor: SegmentDecryptor,
    at: { segment: number; pieces: readonly Buffer[] },
  ): Promise<Buffer[]> {
    try {
      return decryptor.segment(at.pieces)
    } catch (error) {
      if (source.blob.kind === 'inline' || !isAuthenticationFailure(error)) throw error
      const fetcher = this.#fetcher(source.blob, source.signal)
      const range = cipherRangeOf(source, at.segment)
      for (let suspect = 0; suspect < source.blob.holders.length; suspect++) {
        try {
          const runs = runsOf(fetcher.geometry, range)
          const fetched = await Promise.all(runs.map((run) => fetchPieces(fetcher, run, range, [suspect])))
          const plain = decryptor.segment(fetched.flatMap(({ pieces }) => pieces))
          this.#onDegraded()
          return plain
        } catch (retryError) {
          if (!isAuthenticationFailure(retryError)) throw retryError
        }
      }
      throw error
    }
  }

  #fetcher(blob: ShardedBlob, signal: AbortSignal | undefined): StripeFetcher {
    return new StripeFetcher({
      cluster: this.#cluster,
      codecs: this.#codecs,
      blob,
      geometry: this.#codecs.geometry(blob, blob.bytes),
      signal,
      onDegraded: this.#onDegraded,
    })
  }
}

/** Ciphertext of one run, in order, and how to give its memory back. */
interface CipherRun {
  readonly pieces: readonly Buffer[]
  readonly release: () => void
}

/** Runs whose memory is lent by the transport: given back as soon as their last byte was decrypted. */
class LentRuns {
  readonly #runs: { bytes: number; release: () => void }[] = []
  #bytes = 0

  add(pieces: readonly Buffer[], release: () => void): void {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.#runs.push({ bytes, release })
    this.#bytes += bytes
  }

  /** All lent bytes but the last `rest` were decrypted. */
  consumedAllBut(rest: number): void {
    for (
      let first = this.#runs[0];
      first !== undefined && this.#bytes - first.bytes >= rest;
      first = this.#runs[0]
    ) {
      this.#runs.shift()
      this.#bytes -= first.bytes
      first.release()
    }
  }
}

/** Cuts what lies outside of `range` from plaintext that starts at `offset` and comes in order. */
class PlainWindow {
  readonly #range: ByteRange
  #offset: number

  constructor(range: ByteRange, offset: number) {
    this.#range = range
    this.#offset = offset
  }

  *cut(plain: readonly Buffer[]): Generator<Buffer> {
    for (const buffer of plain) {
      const first = Math.max(0, this.#range.firstByte - this.#offset)
      const end = Math.min(buffer.length, this.#range.lastByte + 1 - this.#offset)
      this.#offset += buffer.length
      if (first < end) yield first === 0 && end === buffer.length ? buffer : buffer.subarray(first, end)
    }
  }
}

/** Ciphertext range of one segment, tag included. */
function cipherRangeOf(stream: SegmentStream, segment: number): ByteRange {
  const firstByte = segment * (stream.segmentBytes + TAG_BYTES)
  const plainBytes = Math.min(stream.segmentBytes, stream.plainBytes - segment * stream.segmentBytes)
  return { firstByte, lastByte: firstByte + plainBytes + TAG_BYTES - 1 }
}

/**
 * Cuts a range into runs: the first and the last stripe alone when they are needed in part (so that a small range
 * reads few cells), whole stripes together up to the bound.
 */
function runsOf(geometry: Geometry, range: ByteRange): StripeRun[] {
  const { firstStripe, stripeCount } = stripesOf(geometry, range)
  const stripesMax = Math.max(1, Math.floor(readerLimits.runBytes / geometry.stripeBytes))
  const runs: StripeRun[] = []
  for (let stripe = firstStripe; stripe < firstStripe + stripeCount; stripe++) {
    const shards = piecesAt(geometry, stripe, range).map((piece) => piece.shard)
    const last = runs.at(-1)
    const joins = last !== undefined && sameShards(last.shards, shards) && last.stripeCount < stripesMax
    if (joins) runs[runs.length - 1] = { ...last, stripeCount: last.stripeCount + 1 }
    else runs.push({ firstStripe: stripe, stripeCount: 1, shards })
  }
  return runs
}

function sameShards(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((shard, i) => shard === b[i])
}

/** The ciphertext of `range` that lies in `run`, in order. */
async function fetchPieces(
  fetcher: StripeFetcher,
  run: StripeRun,
  range: ByteRange,
  without: readonly number[] = [],
): Promise<CipherRun> {
  const { cells, release } = await fetcher.fetch(run, without)
  const pieces: Buffer[] = []
  for (let i = 0; i < run.stripeCount; i++) {
    for (const piece of piecesAt(fetcher.geometry, run.firstStripe + i, range)) {
      const cell = cells[i]?.[piece.shard]
      if (cell === undefined) throw new ClusterError('Internal', 'a fetched stripe lacks a needed cell')
      pieces.push(cell.subarray(piece.offset, piece.offset + piece.bytes))
    }
  }
  return { pieces, release }
}

function nothingLent(): void {
  // inline ciphertext came with the catalog's answer
}

function isAuthenticationFailure(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'DecryptionFailed'
}

function awaitedLater(): void {
  // the rejection is thrown where the promise is awaited
}
