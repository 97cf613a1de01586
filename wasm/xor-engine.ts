/**
 * The engine of `cauchy-xor` up to 32 shards: bit-sliced packets, one generated module per linear map.
 *
 * Invariant: modules depend on map, mode and stride only and are shared by all pools of a codec; an instance
 * belongs to one memory.
 */
import { BoundedCache } from './bounded-cache.ts'
import type { Code, LinearMap } from './code.ts'
import type { CellLayout, Engine, Kernel, MapJob } from './engine.ts'
import { TUNED_PROGRAMS } from './tuned-programs.ts'
import { wideVectors } from './wide-vectors.ts'
import { type KernelShape, PACKET_BYTES, xorKernelModule } from './xor-kernel.ts'
import { planXor } from './xor-plan.ts'
import { unpackProgram, type XorProgram } from './xor-program.ts'

/** Compiled modules held per codec: all single and double erasures of the default pool, many times over. */
const MODULES_MAX = 256

export class XorEngine implements Engine {
  readonly blockBytes: number
  readonly headBytes = SPILL_WORDS_MAX * PACKET_BYTES
  readonly #code: Code
  readonly #lanes: 1 | 2
  readonly #modules = new BoundedCache<WebAssembly.Module>(MODULES_MAX)

  constructor(code: Code) {
    this.#code = code
    this.#lanes = wideVectors() ? 2 : 1
    this.blockBytes = code.width * PACKET_BYTES
  }

  attach(layout: CellLayout): (job: MapJob) => Kernel {
    return (job) => {
      const module = this.#modules.get(jobKey(job, layout.strideBytes), () =>
        this.#compile(job, layout.strideBytes),
      )
      const instance = new WebAssembly.Instance(module, { env: { memory: layout.memory } })
      const run = instance.exports.run as (address: number, end: number) => number
      return (base, bytes) => run(base, base + bytes) === 0
    }
  }

  #compile({ map, mode }: MapJob, strideBytes: number): WebAssembly.Module {
    const { width, field } = this.#code
    const programs = this.#tunedPrograms(map)
    const { passes, sideBySide } = planXor(field, map, {
      registers: mode === 'compare' ? REGISTERS - 1 : REGISTERS,
      searchAdditions: SEARCH_ADDITIONS,
      ...(programs && { programs }),
    })
    const shape: KernelShape = {
      mode,
      width,
      strideBytes,
      sources: map.sources,
      targets: map.targets,
      lanes: sideBySide ? 2 : this.#lanes,
      spillAddress: 0,
      spillWordsMax: SPILL_WORDS_MAX,
    }
    return new WebAssembly.Module(xorKernelModule(passes, shape))
  }

  /** For the encoder of a well-known code: the map whose targets are all parity shards, from all data. */
  #tunedPrograms({ sources, targets }: LinearMap): XorProgram[] | undefined {
    const { dataShards, parityShards } = this.#code.spec
    const encodes =
      targets.length === parityShards &&
      sources.length === dataShards &&
      sources.every((shard) => shard < dataShards)
    if (!encodes) return undefined
    return TUNED_PROGRAMS[`${dataShards}+${parityShards}`]?.map((text) =>
      unpackProgram(text, dataShards * this.#code.width),
    )
  }
}

/**
 * Vector registers for words: sixteen on x64, less V8's own one, less one for an operand on its way from memory,
 * because V8 does not fold vector loads into additions.
 */
export const REGISTERS = 14
/** More than any pass has: 32 shards of 5 words and the sums of six targets. */
const SPILL_WORDS_MAX = 2048
/** What a search may try for a new pattern: a few milliseconds. */
const SEARCH_ADDITIONS = 4_000

function jobKey({ map, mode }: MapJob, strideBytes: number): string {
  return `${strideBytes} ${mode} ${map.sources.join()} ${map.targets.join()} ${map.coefficients.cells.join()}`
}
