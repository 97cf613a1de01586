/**
 * The native comparator of the codec benchmark: compiles codec-isal.c where that is possible and talks to it.
 *
 * Invariant: absence is an answer, not an error: without compiler, library or instruction set it is undefined.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type IsalVariant = 'isalSse' | 'isalAvx2' | 'isalAvx512'

const VARIANTS: readonly { readonly name: IsalVariant; readonly cpuFlags: readonly string[] }[] = [
  { name: 'isalSse', cpuFlags: ['ssse3'] },
  { name: 'isalAvx2', cpuFlags: ['avx2'] },
  { name: 'isalAvx512', cpuFlags: ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'] },
]

export interface IsalJob {
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
  /** Cells that a call computes: all parity, or as many as are lost. */
  readonly rows: number
  readonly rounds: number
}

/** A running driver; `close` ends it and removes the binary. */
export class IsalDriver {
  readonly variants: readonly IsalVariant[]
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface
  readonly #folder: string

  private constructor(folder: string, binary: string, variants: readonly IsalVariant[]) {
    this.#folder = folder
    this.variants = variants
    this.#child = spawn(binary)
    this.#reader = createInterface({ input: this.#child.stdout })
    this.#lines = this.#reader[Symbol.asyncIterator]()
  }

  /** Compiles and starts; undefined where there is no C compiler, no libisal or no /proc/cpuinfo. */
  static start(): IsalDriver | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'codec-isal-'))
    const binary = join(folder, 'codec-isal')
    const source = fileURLToPath(new URL('codec-isal.c', import.meta.url))
    const compiled = spawnSync('cc', ['-O2', source, '-o', binary, '-lisal'], { stdio: 'ignore' })
    const flags = cpuFlags()
    if (compiled.status !== 0 || flags.size === 0) {
      rmSync(folder, { recursive: true, force: true })
      return undefined
    }
    const usable = VARIANTS.filter((variant) => variant.cpuFlags.every((flag) => flags.has(flag)))
    return new IsalDriver(
      folder,
      binary,
      usable.map((variant) => variant.name),
    )
  }

  /** CPU seconds of `rounds` calls. */
  async measure(variant: IsalVariant, job: IsalJob): Promise<number> {
    const index = VARIANTS.findIndex(({ name }) => name === variant)
    const { dataShards, parityShards, cellBytes, rows, rounds } = job
    this.#child.stdin.write(`${[index, dataShards, parityShards, cellBytes, rows, rounds].join(' ')}\n`)
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the ISA-L driver ended')
    return Number(value)
  }

  close(): void {
    this.#reader.close()
    this.#child.stdin.end()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function cpuFlags(): ReadonlySet<string> {
  try {
    const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^flags\s*:(.*)$/m)?.[1] ?? ''
    return new Set(line.trim().split(/\s+/).filter(Boolean))
  } catch {
    // Not Linux: no way to know what may be run, so nothing is.
    return new Set()
  }
}
