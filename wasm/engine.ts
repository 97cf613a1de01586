/**
 * What the stripe pool asks of an engine: to turn a linear map over cells into something that runs.
 *
 * Invariant: a kernel reads and writes only the cells that its map names, and only their first `bytes`.
 */
import type { LinearMap } from './code.ts'

/** store: targets = map(sources). add: targets ^= map(sources). compare: targets stay, the result tells. */
export type MapMode = 'store' | 'add' | 'compare'

export interface MapJob {
  readonly map: LinearMap
  readonly mode: MapMode
}

/**
 * Runs a job on the stripe that starts at address `base`; `bytes` is a multiple of the engine's block.
 * Returns true unless it compared and found a difference.
 */
export type Kernel = (base: number, bytes: number) => boolean

/** Cells of a stripe lie `strideBytes` apart in `memory`. */
export interface CellLayout {
  readonly memory: WebAssembly.Memory
  readonly strideBytes: number
}

export interface Engine {
  /** Cells are processed in units of this many bytes. */
  readonly blockBytes: number
  /** Bytes at the start of the memory that the engine keeps for itself, written by `attach`. */
  readonly headBytes: number
  /** Prepares a memory; the result makes kernels for it. */
  attach(layout: CellLayout): (job: MapJob) => Kernel
}
