/**
 * Reading the cells of a sealed shard file: a run for a reader, or all of them for a scrub.
 *
 * Invariant: no cell leaves whose checksum has not been verified against the bytes that leave. Memory is one run.
 */
import { createHash } from 'node:crypto'
import { ClusterError } from '../errors.ts'
import { BodyPool } from '../protocol/body-pool.ts'
import { cellOffset, encodeHeader, trailerBytes, verifyFrames } from '../protocol/shard-record.ts'
import type { CellRead } from '../protocol/shard-store.ts'
import type { DiskFile } from './shard-files-disk.ts'
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
 * The frames of up to `cellCount` cells in a buffer of `bodies`; fewer at the shard's end. GenerationMismatch,
 * BadMessage (no such cells, or more than `bytesMax`), ShardCorrupt (details.cell).
 */
export async function readCells(
  { file, shard }: SealedFile,
  wanted: WantedCells,
  bodies: BodyPool,
): Promise<CellRead & { readonly trailers: Buffer }> {
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
  const { bytes: frames, release } = bodies.take(bytes)
  try {
    await fill(file, frames, { position: cellOffset(header.cellBytes, firstCell), firstCell })
    const { trailers } = verifyFrames(frames, { firstCell, cellCount, cellBytes: header.cellBytes })
    return { cellCount, frames, release, trailers }
  } catch (error) {
    release()
    throw error
  }
}

/** What the disk cannot give back is as lost as what it gives back wrong. */
async function fill(
  file: DiskFile,
  frames: Buffer,
  at: { position: number; firstCell: number },
): Promise<void> {
  const details = { region: 'cells', cell: at.firstCell }
  let filled: number
  try {
    filled = await file.read(frames, at.position)
  } catch (cause) {
    throw new ClusterError('ShardCorrupt', 'shard file cannot be read', { cause, details })
  }
  if (filled < frames.length) throw new ClusterError('ShardCorrupt', 'shard file is truncated', { details })
}

/** Reads every cell, asking `pace` before each run, and compares the digest. ShardCorrupt (details.region, cell). */
export async function verifyCells(sealed: SealedFile, pace: (bytes: number) => Promise<void>): Promise<void> {
  const { header, cells } = sealed.shard
  const cellCount = Math.max(1, Math.floor(scrubRunBytes / header.cellBytes))
  const bytesMax = cellCount * (header.cellBytes + trailerBytes)
  const bodies = new BodyPool()
  const digest = createHash('sha256').update(encodeHeader(header))
  for (let firstCell = 0; firstCell < cells; firstCell += cellCount) {
    await pace(Math.min(bytesMax, sealed.shard.fileBytes))
    const wanted = { generation: header.generation, firstCell, cellCount, bytesMax }
    const run = await readCells(sealed, wanted, bodies)
    digest.update(run.trailers)
    run.release()
  }
  if (!digest.digest().equals(sealed.digest))
    throw new ClusterError('ShardCorrupt', 'digest differs', { details: { region: 'footer' } })
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
