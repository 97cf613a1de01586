/**
 * Engines that interpret a linear map as a series of products: targets ^= constant x source, strip by strip.
 *
 * Invariant: one module for all maps of a field, so a new erasure pattern costs no compilation. This is the way
 * of codes whose straight-line program would be too large (cauchy-xor beyond 32 shards) and of the byte form.
 */

import type { CellLayout, Engine, Kernel, MapJob } from './engine.ts'
import { entryAt } from './matrix.ts'

/** How one field form multiplies cells in `memory`; addresses and lengths are bytes. */
export interface ProductKernel {
  /** For each i: the cell at targets[i] ^= constants[i] x the cell at `source`. At most `groupMax` targets. */
  multiplyAdd(source: number, bytes: number, targets: readonly number[], constants: readonly number[]): void
}

export interface ProductForm {
  readonly blockBytes: number
  /** Targets that one call may serve: they share the work on the source. */
  readonly groupMax: number
  /** Bytes of constants at the start of the memory. */
  readonly tableBytes: number
  instantiate(memory: WebAssembly.Memory): ProductKernel
}

/** Columns worked on at a time: a strip of the group's targets stays in the L1 cache, of all sources in L2. */
const STRIP_BYTES = 4096

export class ProductEngine implements Engine {
  readonly blockBytes: number
  readonly headBytes: number
  readonly #form: ProductForm

  constructor(form: ProductForm) {
    this.#form = form
    this.blockBytes = form.blockBytes
    this.headBytes = form.tableBytes + form.groupMax * STRIP_BYTES
  }

  attach({ memory, strideBytes }: CellLayout): (job: MapJob) => Kernel {
    const kernel = this.#form.instantiate(memory)
    const bytesOf = Buffer.from(memory.buffer)
    return (job) => {
      const groups = this.#groupsOf(job, strideBytes)
      return (base, bytes) => {
        for (let from = 0; from < bytes; from += STRIP_BYTES) {
          const strip = { from: base + from, bytes: Math.min(STRIP_BYTES, bytes - from) }
          if (!groups.every((group) => this.#runGroup(kernel, bytesOf, group, strip))) return false
        }
        return true
      }
    }
  }

  #groupsOf({ map, mode }: MapJob, strideBytes: number): TargetGroup[] {
    const groups: TargetGroup[] = []
    for (let first = 0; first < map.targets.length; first += this.#form.groupMax) {
      const targets = map.targets.slice(first, first + this.#form.groupMax)
      groups.push({
        mode,
        targetOffsets: targets.map((cell) => cell * strideBytes),
        products: map.sources.map((cell, column) => ({
          sourceOffset: cell * strideBytes,
          constants: targets.map((_, row) => entryAt(map.coefficients, first + row, column)),
        })),
      })
    }
    return groups
  }

  #runGroup(kernel: ProductKernel, memory: Buffer, group: TargetGroup, strip: Strip): boolean {
    const cells = group.targetOffsets.map((offset) => strip.from + offset)
    const compared = group.mode === 'compare'
    const targets = compared ? cells.map((_, index) => this.#form.tableBytes + index * STRIP_BYTES) : cells
    if (group.mode !== 'add') for (const target of targets) memory.fill(0, target, target + strip.bytes)
    for (const { sourceOffset, constants } of group.products) {
      kernel.multiplyAdd(strip.from + sourceOffset, strip.bytes, targets, constants)
    }
    if (!compared) return true
    return targets.every((target, index) => {
      const cell = cells[index] ?? 0
      return memory.compare(memory, cell, cell + strip.bytes, target, target + strip.bytes) === 0
    })
  }
}

interface Strip {
  readonly from: number
  readonly bytes: number
}

interface TargetGroup {
  readonly mode: MapJob['mode']
  readonly targetOffsets: readonly number[]
  readonly products: readonly { readonly sourceOffset: number; readonly constants: readonly number[] }[]
}
