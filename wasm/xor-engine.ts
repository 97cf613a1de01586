/**
 * The engine of `cauchy-xor` up to 32 shards: bit-sliced packets, one generated module per linear map.
 *
 * Invariant: modules depend on map, mode and stride only and are shared by all pools of a codec; an instance
 * belongs to one memory.
 */
import { BoundedCache } from './bounded-cache.ts'
import type { Code } from './code.ts'
import type { CellLayout, Engine, Kernel, MapJob } from './engine.ts'
import { PACKET_BYTES, xorKernelModule } from './xor-kernel.ts'
import { bitRows, shareSums } from './xor-program.ts'
import { scheduleEagerly } from './xor-schedule.ts'

/** Compiled modules held per codec: all single and double erasures of the default pool, many times over. */
const MODULES_MAX = 256

export class XorEngine implements Engine {
  readonly blockBytes: number
  readonly headBytes = 0
  readonly #code: Code
  readonly #modules = new BoundedCache<WebAssembly.Module>(MODULES_MAX)

  constructor(code: Code) {
    this.#code = code
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
    const program = shareSums(bitRows(field, map.coefficients), map.sources.length * width)
    const shape = { mode, width, strideBytes, sources: map.sources, targets: map.targets }
    return new WebAssembly.Module(xorKernelModule(scheduleEagerly(program), shape))
  }
}

function jobKey({ map, mode }: MapJob, strideBytes: number): string {
  return `${strideBytes} ${mode} ${map.sources.join()} ${map.targets.join()} ${map.coefficients.cells.join()}`
}
