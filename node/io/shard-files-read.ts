/**
 * Reading the cells of a sealed shard file: a run for a reader, or all of them for a scrub.
 *
 * Invariant: no cell leaves whose checksum has not been verified against the bytes that leave. Memory is one run.
 */
import { createHash } from 'node:crypto'
import { ClusterError } from '../errors.ts'
import { cellOffset, encodeHeader, trailerBytes, verifyFrames } from '../protocol/shard-record.ts'
import type { SealedFile } from './shard-files-sealed.ts'

/** Bytes that a scrub reads at once (at least one cell): enough to be sequential, too few to hurt a reader. */
const scrubRunBytes = 1024 * 1024

export interface WantedCells {
  readonly generation: number
  readonly firstCell: number
  readonly cellCount: number
  readonly bytesMax: number
}

/**
 * The frames of up to `cellCount` cells in a new buffer; fewer at the shard's end. GenerationMismatch, BadMessage (no
 * such cells, or more than `bytesMax`), ShardCorrupt (details.cell).
 */
export async function readCells(
  { file, shard }: SealedFile,
  wanted: WantedCells,
): Promise<{ cellCount: number; frames: Buffer; trailers: Buffer }> {
  const { header, cells } = shard
  const { firstCell } = wanted
  if (header.generation !== wanted.generation)
    throw new ClusterError('GenerationMismatch', 'shard is of another generation', {
      details: { have: header.generation, got: wanted.generation },
    })
  const cellCount = Math.min(wanted.cellCount, cells - firstCell)
  const last = firstCell + cellCount === cells ? shard.lastCellBytes : header.cellBytes
  const bytes = (cellCount - 1) * (header.cellBytes + trailerBytes) + last + trailerBytes
  if (!isIndex(firstCell) || !isIndex(cellCount) || cellCount < 1 || bytes > wanted.bytesMax)
    throw new ClusterError('BadMessage', 'no such run of cells', { details: { cells } })
  const frames = Buffer.allocUnsafeSlow(bytes)
  if ((await file.read(frames, cellOffset(header.cellBytes, firstCell))) < bytes)
    throw new ClusterError('ShardCorrupt', 'shard file is truncated', {
      details: { region: 'cells', cell: firstCell },
    })
  const { trailers } = verifyFrames(frames, { firstCell, cellCount, cellBytes: header.cellBytes })
  return { cellCount, frames, trailers }
}

/** Reads every cell, asking `pace` before each run, and compares the digest. ShardCorrupt (details.region, cell). */
export async function verifyCells(sealed: SealedFile, pace: (bytes: number) => Promise<void>): Promise<void> {
  const { header, cells } = sealed.shard
  const cellCount = Math.max(1, Math.floor(scrubRunBytes / header.cellBytes))
  const bytesMax = cellCount * (header.cellBytes + trailerBytes)
  const digest = createHash('sha256').update(encodeHeader(header))
  for (let firstCell = 0; firstCell < cells; firstCell += cellCount) {
    await pace(Math.min(bytesMax, sealed.shard.fileBytes))
    const run = await readCells(sealed, { generation: header.generation, firstCell, cellCount, bytesMax })
    digest.update(run.trailers)
  }
  if (!digest.digest().equals(sealed.digest))
    throw new ClusterError('ShardCorrupt', 'digest differs', { details: { region: 'footer' } })
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
