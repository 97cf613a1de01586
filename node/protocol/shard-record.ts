/**
 * The bytes of a shard on disk, and of its cells on disk and on the wire.
 *
 * A file is a header (fixed size), framed cells, a footer (fixed size). A framed cell is the same on disk as in the
 * bodies of `write-shard` and `read-shard`: `cell bytes, u32le CRC32 (initial value = cell index), u32le cell
 * length`. All cells but the last have the header's `cellBytes`, so cell i lies at a computed offset and a run of
 * cells moves between socket and disk with one read or write and without being touched.
 *
 * Invariant: what `parseHeader` and `parseFooter` accept is what `encodeHeader` and `encodeFooter` made.
 * Golden file: test/golden/shards. Leaves files and directories to io/shard-files.ts.
 */
import { crc32 } from '@node-rs/crc32'
import { frameTrailerBytes } from '../core/geometry.ts'
import { ClusterError } from '../errors.ts'
import type { ShardHeader } from './messages.ts'

/** Bounds on what a header may say. Larger values are refused before anything is allocated for them. */
export const shardRecordLimits = {
  /** The codes go up to 256 shards (GF(2^8)). */
  shardsMax: 256,
  /** Largest cell; a run of a few cells must still fit a wire message. */
  cellBytesMax: 8 * 1024 * 1024,
  /** Three of them, with their lengths, must fit the fixed header. */
  nameBytesMax: 128,
} as const

export const shardFormatVersion = 1
/** One sector: small against the smallest shard, and written and read with one request. */
export const headerBytes = 512
export const footerBytes = 72
/** u32le CRC32, u32le cell length. */
export const trailerBytes = frameTrailerBytes

const headerMagic = Buffer.from('BCSHARD\0', 'latin1')
const footerMagic = Buffer.from('BCSHEND\0', 'latin1')
const namesOffset = 40
const headerChecksumOffset = headerBytes - 4
const footerChecksumOffset = 60

const blobIdPattern = /^[0-9a-f]{8,128}$/
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** The end of a sealed shard: what it holds, and a digest that binds header and cells together. */
export interface ShardFooter {
  readonly cells: number
  /** Bytes of the last cell; the others have the header's `cellBytes`. */
  readonly lastCellBytes: number
  /** Wall-clock ms of the sealing node; unique per shard on one node, so it names one incarnation of the file. */
  readonly sealedMs: number
  /** SHA-256 over the encoded header and all cell trailers in order. */
  readonly digest: Uint8Array
}

/** Throws BadMessage when a header that came over the wire breaks a bound. */
export function checkHeader(header: ShardHeader): void {
  const wrong = headerFault(header)
  if (wrong !== undefined) throw new ClusterError('BadMessage', `shard header: ${wrong}`)
}

function headerFault(h: ShardHeader): string | undefined {
  const { shardsMax, cellBytesMax, nameBytesMax } = shardRecordLimits
  if (typeof h !== 'object' || h === null) return 'missing'
  if (typeof h.blobId !== 'string' || !blobIdPattern.test(h.blobId)) return 'blobId is not lower-case hex'
  for (const name of [h.groupId, h.code]) {
    if (typeof name !== 'string' || name.length > nameBytesMax || !namePattern.test(name))
      return 'groupId or code is not a name'
  }
  if (!isCount(h.dataShards) || h.dataShards < 1) return 'dataShards'
  if (!isCount(h.parityShards)) return 'parityShards'
  if (h.dataShards + h.parityShards > shardsMax) return 'too many shards'
  if (!isCount(h.shardIndex) || h.shardIndex >= h.dataShards + h.parityShards) return 'shardIndex'
  if (!isCount(h.cellBytes) || h.cellBytes < 1 || h.cellBytes > cellBytesMax) return 'cellBytes'
  if (!isCount(h.generation)) return 'generation'
  return undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** `headerBytes` bytes. `header` must have passed `checkHeader`. */
export function encodeHeader(header: ShardHeader): Buffer {
  const out = Buffer.alloc(headerBytes)
  headerMagic.copy(out, 0)
  out.writeUInt16LE(shardFormatVersion, 8)
  out.writeUInt16LE(headerBytes, 10)
  out.writeUInt32LE(header.shardIndex, 12)
  out.writeUInt32LE(header.dataShards, 16)
  out.writeUInt32LE(header.parityShards, 20)
  out.writeUInt32LE(header.cellBytes, 24)
  out.writeBigUInt64LE(BigInt(header.generation), 32)
  let at = namesOffset
  for (const name of [header.blobId, header.groupId, header.code]) {
    out.writeUInt8(name.length, at)
    at += 1 + out.write(name, at + 1, 'latin1')
  }
  out.writeUInt32LE(crc32(out.subarray(0, headerChecksumOffset)), headerChecksumOffset)
  return out
}

/** Throws ShardCorrupt (details.region 'header') unless these are the bytes of a header of a known version. */
export function parseHeader(bytes: Buffer): ShardHeader {
  if (bytes.length !== headerBytes || !bytes.subarray(0, 8).equals(headerMagic))
    throw corrupt('header', 'no shard header')
  if (crc32(bytes.subarray(0, headerChecksumOffset)) !== bytes.readUInt32LE(headerChecksumOffset))
    throw corrupt('header', 'header checksum differs')
  const version = bytes.readUInt16LE(8)
  if (version !== shardFormatVersion) throw corrupt('header', `unknown shard format ${version}`)
  let at = namesOffset
  const name = (): string => {
    const length = bytes.readUInt8(at)
    const text = bytes.toString('latin1', at + 1, at + 1 + length)
    at += 1 + length
    return text
  }
  const header: ShardHeader = {
    blobId: name(),
    groupId: name(),
    code: name(),
    shardIndex: bytes.readUInt32LE(12),
    dataShards: bytes.readUInt32LE(16),
    parityShards: bytes.readUInt32LE(20),
    cellBytes: bytes.readUInt32LE(24),
    generation: Number(bytes.readBigUInt64LE(32)),
  }
  const wrong = headerFault(header)
  if (wrong !== undefined) throw corrupt('header', `header: ${wrong}`)
  return header
}

/** `footerBytes` bytes. */
export function encodeFooter(footer: ShardFooter, cellBytes: number): Buffer {
  const out = Buffer.alloc(footerBytes)
  out.writeUInt32LE(footer.cells, 0)
  out.writeUInt32LE(footer.lastCellBytes, 4)
  out.writeBigUInt64LE(BigInt((footer.cells - 1) * cellBytes + footer.lastCellBytes), 8)
  out.writeBigUInt64LE(BigInt(footer.sealedMs), 16)
  out.set(footer.digest, 24)
  out.writeUInt32LE(crc32(out.subarray(0, footerChecksumOffset)), footerChecksumOffset)
  footerMagic.copy(out, 64)
  return out
}

/** Throws ShardCorrupt (details.region 'footer') unless the footer is whole and fits header and file size. */
export function parseFooter(bytes: Buffer, header: ShardHeader, fileBytes: number): ShardFooter {
  if (bytes.length !== footerBytes || !bytes.subarray(64).equals(footerMagic))
    throw corrupt('footer', 'no shard footer')
  if (crc32(bytes.subarray(0, footerChecksumOffset)) !== bytes.readUInt32LE(footerChecksumOffset))
    throw corrupt('footer', 'footer checksum differs')
  const footer: ShardFooter = {
    cells: bytes.readUInt32LE(0),
    lastCellBytes: bytes.readUInt32LE(4),
    sealedMs: Number(bytes.readBigUInt64LE(16)),
    digest: bytes.subarray(24, 56),
  }
  if (shardFileBytes(header.cellBytes, footer) !== fileBytes)
    throw corrupt('footer', 'file size does not fit the footer')
  return footer
}

/** Size of a sealed file in bytes. */
export function shardFileBytes(
  cellBytes: number,
  shape: Pick<ShardFooter, 'cells' | 'lastCellBytes'>,
): number {
  const framed = (shape.cells - 1) * (cellBytes + trailerBytes) + shape.lastCellBytes + trailerBytes
  return headerBytes + framed + footerBytes
}

/** Where the frame of cell `cell` starts in its file, in bytes. */
export function cellOffset(cellBytes: number, cell: number): number {
  return headerBytes + cell * (cellBytes + trailerBytes)
}

export interface CellRun {
  readonly firstCell: number
  readonly cellCount: number
  readonly cellBytes: number
}

/**
 * Checks a run of framed cells and returns its trailers (8 bytes each, in order) and the last cell's length.
 *
 * Throws BadMessage when the bytes are not `cellCount` frames, ShardCorrupt (details.cell) for the first cell whose
 * checksum or length is wrong. `frames` is read once and not kept.
 */
export function verifyFrames(frames: Buffer, run: CellRun): { trailers: Buffer; lastCellBytes: number } {
  const stride = run.cellBytes + trailerBytes
  const lastCellBytes = frames.length - (run.cellCount - 1) * stride - trailerBytes
  if (run.cellCount < 1 || lastCellBytes < 1 || lastCellBytes > run.cellBytes)
    throw new ClusterError('BadMessage', `body is not ${run.cellCount} framed cells`)
  const trailers = Buffer.allocUnsafe(run.cellCount * trailerBytes)
  for (let i = 0; i < run.cellCount; i++) {
    const length = i === run.cellCount - 1 ? lastCellBytes : run.cellBytes
    const end = i * stride + length
    const cell = run.firstCell + i
    if (
      frames.readUInt32LE(end + 4) !== length ||
      frames.readUInt32LE(end) !== crc32(frames.subarray(i * stride, end), cell)
    )
      throw corrupt('cells', `cell ${cell} is corrupt`, cell)
    frames.copy(trailers, i * trailerBytes, end, end + trailerBytes)
  }
  return { trailers, lastCellBytes }
}

/** Frames `cell` as cell number `index`: fills the 8 bytes behind it. `frame` holds the cell and room for them. */
export function writeTrailer(frame: Buffer, index: number): void {
  const end = frame.length - trailerBytes
  frame.writeUInt32LE(crc32(frame.subarray(0, end), index), end)
  frame.writeUInt32LE(end, end + 4)
}

function corrupt(region: 'header' | 'cells' | 'footer', message: string, cell?: number): ClusterError {
  return new ClusterError('ShardCorrupt', message, {
    details: cell === undefined ? { region } : { region, cell },
  })
}
