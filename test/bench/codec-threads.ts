/**
 * All cores: the codec in the event loop against the same work through the worker pool, in wall-clock time.
 */
import { availableParallelism } from 'node:os'
import { codecFor } from '../../wasm/codec.ts'
import { CodecPool } from '../../wasm/codec-pool.ts'

const SPEC = { code: 'cauchy-xor', dataShards: 8, parityShards: 4 } as const
const STRIPES = 400

export interface ThreadFigures {
  readonly cores: number
  /** GB/s of data by wall clock, per cell size: in place in the event loop, and through the pool. */
  readonly results: readonly {
    readonly cellBytes: number
    readonly eventLoop: number
    readonly pool: number
  }[]
}

export async function benchThreads(): Promise<ThreadFigures> {
  const results = []
  for (const cellBytes of [65_536, 1_048_576]) {
    results.push({ cellBytes, eventLoop: inEventLoop(cellBytes), pool: await throughPool(cellBytes) })
  }
  return { cores: availableParallelism(), results }
}

function rate(cellBytes: number, startMs: number): number {
  const bytes = STRIPES * SPEC.dataShards * cellBytes
  return Math.round(bytes / (performance.now() - startMs) / 1e4) / 100
}

function inEventLoop(cellBytes: number): number {
  const pool = codecFor(SPEC).createStripePool({ cellBytesMax: cellBytes, trailerBytes: 0, stripesMax: 1 })
  const stripe = pool.tryAcquire()
  if (!stripe) throw new Error('a fresh pool has a stripe')
  for (const cell of stripe.cells) cell.fill(7)
  for (let warmUp = 0; warmUp < 50; warmUp++) stripe.encode(cellBytes)
  const start = performance.now()
  for (let done = 0; done < STRIPES; done++) stripe.encode(cellBytes)
  return rate(cellBytes, start)
}

async function throughPool(cellBytes: number): Promise<number> {
  const pool = new CodecPool()
  const cells = Array.from({ length: 8 }, () => {
    return new SharedArrayBuffer((SPEC.dataShards + SPEC.parityShards) * cellBytes)
  })
  const encode = (index: number): Promise<void> => {
    const shared = cells[index % cells.length]
    if (!shared) throw new Error('no cells')
    return pool.encode({ spec: SPEC, cells: shared, cellBytes })
  }
  await Promise.all(cells.map((_, index) => encode(index)))
  const start = performance.now()
  // Stripes of one buffer run one after the other, those of different buffers side by side.
  await Promise.all(
    cells.map(async (_, index) => {
      for (let done = index; done < STRIPES; done += cells.length) await encode(index)
    }),
  )
  const figure = rate(cellBytes, start)
  await pool.close()
  return figure
}
