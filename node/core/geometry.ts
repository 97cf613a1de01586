/**
 * Where the bytes of a blob lie: pure arithmetic from sizes to stripes, cells, frames and file offsets.
 *
 * A blob of `bytes` is cut into stripes of `dataShards` cells. All cells have `cellBytes`, those of the last stripe
 * are shorter: the rest divided by k, rounded up to the code's block, the end padded with zeros. Cell i of a shard
 * belongs to stripe i. In a shard's file and on the wire each cell is followed by a trailer of 8 bytes:
 *
 *   cell bytes | u32le CRC-32 of the cell, initial value = cell index | u32le cell length
 *
 * so that a cell that is corrupt, misplaced or of another length is noticed before it is used.
 * An empty blob has no stripes. What the bytes mean (encryption), who holds them and the CRC kernel are elsewhere.
 */
import { invariant } from './invariant.ts'

export const frameTrailerBytes = 8

/** What determines a geometry. All in bytes; `cellBytes` is a multiple of `blockBytes`, the code's granule. */
export interface BlobShape {
  readonly bytes: number
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
  readonly blockBytes: number
}

export interface Geometry extends BlobShape {
  readonly shardCount: number
  readonly stripeCount: number
  /** Data bytes of a full stripe. */
  readonly stripeBytes: number
  /** Bytes of the last stripe's cells; 0 for an empty blob. */
  readonly lastCellBytes: number
}

/** A run of blob bytes that lies in one cell of one data shard. */
export interface Piece {
  readonly stripe: number
  /** Index of the data shard, 0..k-1. */
  readonly shard: number
  /** Where the run begins in the cell. */
  readonly offset: number
  readonly bytes: number
  /** Where the run begins in the blob. */
  readonly blobOffset: number
}

/** A closed range of blob bytes, as in HTTP: `lastByte` is part of it. */
export interface ByteRange {
  readonly firstByte: number
  readonly lastByte: number
}

/** Computes the geometry of a blob. Asserts that the shape is sound: it comes from a pool or a shard header that was checked. */
export function geometryOf(shape: BlobShape): Geometry {
  const { bytes, dataShards, parityShards, cellBytes, blockBytes } = shape
  invariant(Number.isSafeInteger(bytes) && bytes >= 0, 'blob bytes are a non-negative integer')
  invariant(Number.isSafeInteger(dataShards) && dataShards >= 1, 'a code has at least one data shard')
  invariant(
    Number.isSafeInteger(parityShards) && parityShards >= 0,
    'parity shards are a non-negative integer',
  )
  invariant(Number.isSafeInteger(blockBytes) && blockBytes >= 1, 'block bytes are a positive integer')
  invariant(
    Number.isSafeInteger(cellBytes) &&
      cellBytes > 0 &&
      cellBytes % blockBytes === 0 &&
      cellBytes <= 0xffff_ffff,
    'a cell is a whole number of blocks and its length fits 32 bits',
  )
  const stripeBytes = dataShards * cellBytes
  const stripeCount = Math.ceil(bytes / stripeBytes)
  const rest = bytes - (stripeCount - 1) * stripeBytes
  const lastCellBytes =
    stripeCount === 0 ? 0 : Math.ceil(Math.ceil(rest / dataShards) / blockBytes) * blockBytes
  return {
    bytes,
    dataShards,
    parityShards,
    cellBytes,
    blockBytes,
    shardCount: dataShards + parityShards,
    stripeCount,
    stripeBytes,
    lastCellBytes,
  }
}

/** Bytes of each cell of a stripe, padding included. */
export function cellBytesAt(geometry: Geometry, stripe: number): number {
  invariant(stripe >= 0 && stripe < geometry.stripeCount, 'stripe index is below the stripe count')
  return stripe === geometry.stripeCount - 1 ? geometry.lastCellBytes : geometry.cellBytes
}

/** Blob bytes in a stripe, padding excluded. */
export function dataBytesAt(geometry: Geometry, stripe: number): number {
  invariant(stripe >= 0 && stripe < geometry.stripeCount, 'stripe index is below the stripe count')
  return Math.min(geometry.stripeBytes, geometry.bytes - stripe * geometry.stripeBytes)
}

/** Blob offset of a stripe's first byte. */
export function stripeOffset(geometry: Geometry, stripe: number): number {
  return stripe * geometry.stripeBytes
}

/** Cell bytes of one shard over all stripes, padding included, frames excluded. */
export function shardBytes(geometry: Geometry): number {
  if (geometry.stripeCount === 0) return 0
  return (geometry.stripeCount - 1) * geometry.cellBytes + geometry.lastCellBytes
}

/** Framed bytes of the cells `firstCell .. firstCell + cellCount - 1` of one shard, trailers included. */
export function framedBytes(geometry: Geometry, run: { firstCell: number; cellCount: number }): number {
  const end = run.firstCell + run.cellCount
  invariant(
    run.firstCell >= 0 && run.cellCount >= 0 && end <= geometry.stripeCount,
    'a run of cells lies in the shard',
  )
  return framedOffset(geometry, end) - framedOffset(geometry, run.firstCell)
}

/** Offset of a framed cell from the first one (a file adds its header); `cell` may be the count: the end. */
export function framedOffset(geometry: Geometry, cell: number): number {
  invariant(cell >= 0 && cell <= geometry.stripeCount, 'cell index is at most the cell count')
  const end = cell * (geometry.cellBytes + frameTrailerBytes)
  const short = cell > 0 && cell === geometry.stripeCount ? geometry.cellBytes - geometry.lastCellBytes : 0
  return end - short
}

/** Framed bytes of a whole shard. */
export function framedShardBytes(geometry: Geometry): number {
  return framedOffset(geometry, geometry.stripeCount)
}

/** Where one blob byte lies. */
export function locate(geometry: Geometry, byte: number): Pick<Piece, 'stripe' | 'shard' | 'offset'> {
  invariant(byte >= 0 && byte < geometry.bytes, 'the byte lies in the blob')
  const stripe = Math.floor(byte / geometry.stripeBytes)
  const inStripe = byte - stripe * geometry.stripeBytes
  const cell = cellBytesAt(geometry, stripe)
  const shard = Math.floor(inStripe / cell)
  return { stripe, shard, offset: inStripe - shard * cell }
}

/** First stripe and number of stripes that a range touches. */
export function stripesOf(
  geometry: Geometry,
  range: ByteRange,
): { firstStripe: number; stripeCount: number } {
  assertRange(geometry, range)
  const firstStripe = Math.floor(range.firstByte / geometry.stripeBytes)
  return { firstStripe, stripeCount: Math.floor(range.lastByte / geometry.stripeBytes) - firstStripe + 1 }
}

/** The pieces of a range that lie in one stripe, in blob order; at most one per data shard, possibly none. */
export function piecesAt(geometry: Geometry, stripe: number, range: ByteRange): Piece[] {
  assertRange(geometry, range)
  const cell = cellBytesAt(geometry, stripe)
  const start = stripeOffset(geometry, stripe)
  const first = Math.max(range.firstByte, start)
  const end = Math.min(range.lastByte + 1, start + dataBytesAt(geometry, stripe))
  const pieces: Piece[] = []
  for (let blobOffset = first; blobOffset < end; ) {
    const shard = Math.floor((blobOffset - start) / cell)
    const offset = blobOffset - start - shard * cell
    const bytes = Math.min(cell - offset, end - blobOffset)
    pieces.push({ stripe, shard, offset, bytes, blobOffset })
    blobOffset += bytes
  }
  return pieces
}

/**
 * Writes the trailer behind a cell.
 *
 * @param target holds the cell and room for the trailer; written at `at`
 * @param trailer `crc`: CRC-32 of the cell with the cell's index as initial value; `cellBytes`: its length
 */
export function writeTrailer(
  target: DataView,
  at: number,
  trailer: { crc: number; cellBytes: number },
): void {
  target.setUint32(at, trailer.crc >>> 0, true)
  target.setUint32(at + 4, trailer.cellBytes, true)
}

/** Reads a trailer; the caller compares both with what it computed and expected. */
export function readTrailer(source: DataView, at: number): { crc: number; cellBytes: number } {
  return { crc: source.getUint32(at, true), cellBytes: source.getUint32(at + 4, true) }
}

function assertRange(geometry: Geometry, range: ByteRange): void {
  invariant(
    range.firstByte >= 0 && range.firstByte <= range.lastByte && range.lastByte < geometry.bytes,
    'a range is not empty and lies in the blob',
  )
}
