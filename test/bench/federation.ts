/**
 * `npm run bench`: starts a fresh federation and measures PUT and GET through the gateway, healthy and with a site down.
 *
 *   npm run bench -- --json     one JSON object per line
 *   npm run bench -- --quick    fewer clients and shorter rounds, for a first look
 *   npm run bench -- --only PUT:4096:8   rounds whose `op:objectBytes:clients` begins so
 *
 * CPU is what the kernel charged to the federation's processes during the round; the load generator is not counted.
 * A GB is 1e9 bytes of the client's data. The machine is shared: compare CPU, not wall time.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { LocalFederation } from '../../ops/dev/local-federation.ts'
import { S3Connection, type S3Target } from '../workload/s3-connection.ts'
import { CpuWatch, residentBytesOf } from './federation-cpu.ts'
import type { Round, RoundResult } from './federation-load.ts'

const bucket = 'bench'
const siteDown = 'nw-duesseldorf'

export interface BenchLine {
  readonly state: 'healthy' | 'site-down'
  readonly op: 'PUT' | 'GET'
  readonly objectBytes: number
  readonly clients: number
  readonly opsPerS: number
  readonly mbPerS: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly gatewayCpuSPerGB: number
  readonly nodesCpuSPerGB: number
  readonly cpuMsPerOp: number
  readonly gatewayResidentMB: number
  readonly errors: number
}

interface Size {
  readonly objectBytes: number
  /** Per round: at least so long and so many, at most so many operations; disk is not endless. */
  readonly seconds: number
  readonly opsMin: number
  readonly opsMax: number
  readonly keys: number
}

const fullSizes: readonly Size[] = [
  { objectBytes: 4_096, seconds: 6, opsMin: 100, opsMax: 20_000, keys: 1_000 },
  { objectBytes: 1_048_576, seconds: 6, opsMin: 40, opsMax: 1_000, keys: 64 },
  { objectBytes: 67_108_864, seconds: 6, opsMin: 8, opsMax: 32, keys: 8 },
]
const quickSizes: readonly Size[] = [
  { objectBytes: 4_096, seconds: 2, opsMin: 50, opsMax: 2_000, keys: 200 },
  { objectBytes: 1_048_576, seconds: 2, opsMin: 20, opsMax: 200, keys: 32 },
  { objectBytes: 67_108_864, seconds: 2, opsMin: 4, opsMax: 8, keys: 4 },
]

interface BenchOptions {
  readonly json?: boolean
  readonly quick?: boolean
  readonly only?: string
}

/** The load generator's process, one round at a time. */
class LoadGenerator {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor() {
    this.#child = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('./federation-load.ts', import.meta.url))],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async run(round: Round): Promise<RoundResult> {
    this.#child.stdin.write(`${JSON.stringify(round)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the load generator ended')
    return JSON.parse(value) as RoundResult
  }

  end(): void {
    this.#child.stdin.end()
  }
}

function round3(value: number): number {
  return Number(value.toPrecision(4))
}

class Bench {
  readonly #federation: LocalFederation
  readonly #load: LoadGenerator
  readonly #options: BenchOptions
  readonly #target: S3Target

  constructor(federation: LocalFederation, load: LoadGenerator, options: BenchOptions) {
    this.#federation = federation
    this.#load = load
    this.#options = options
    const { endpoint, region, users } = federation.file
    const user = users[0]
    if (user === undefined) throw new Error('the federation has no user')
    this.#target = { endpoint, region, ...user }
  }

  async run(print: (line: BenchLine) => void): Promise<void> {
    const connection = new S3Connection(this.#target)
    await connection.createBucket(bucket)
    connection.close()
    const sizes = this.#options.quick ? quickSizes : fullSizes
    await this.#warmUp(sizes)
    await this.#measure('healthy', sizes, print)
    const victims = this.#federation.file.nodes.filter((node) => node.site === siteDown)
    for (const { pid } of victims) process.kill(pid, 'SIGKILL')
    // The first requests after a loss still meet it; what is measured is life without the site.
    await this.#warmUp(sizes)
    await this.#measure('site-down', sizes, print)
  }

  async #measure(
    state: BenchLine['state'],
    sizes: readonly Size[],
    print: (line: BenchLine) => void,
  ): Promise<void> {
    for (const size of sizes) {
      for (const op of ['PUT', 'GET'] as const) {
        for (const clients of this.#options.quick ? [1, 8] : [1, 8, 32]) {
          const name = `${op}:${size.objectBytes}:${clients}`
          if (!name.startsWith(this.#options.only ?? '')) continue
          print(await this.#round(state, { ...size, op, clients, opsMin: Math.max(size.opsMin, clients) }))
        }
      }
    }
  }

  /** Compiles the hot paths of every process, and gives every GET its object. */
  async #warmUp(sizes: readonly Size[]): Promise<void> {
    for (const { objectBytes, keys } of sizes) {
      for (const op of ['PUT', 'GET'] as const) {
        const ops = { seconds: 0, opsMin: keys, opsMax: keys, keys }
        const result = await this.#load.run({
          target: this.#target,
          bucket,
          op,
          objectBytes,
          clients: 4,
          ...ops,
        })
        if (result.errors > 0) process.stderr.write(`warm-up ${op} ${objectBytes}: ${result.firstError}\n`)
      }
    }
  }

  async #round(
    state: BenchLine['state'],
    round: Size & { op: 'PUT' | 'GET'; clients: number },
  ): Promise<BenchLine> {
    const { gateway, nodes, auditor, dht } = this.#federation.file
    const others = [
      ...nodes,
      ...(auditor === undefined ? [] : [auditor]),
      ...(dht === undefined ? [] : [dht]),
    ]
    const gatewayCpu = new CpuWatch([gateway.pid])
    const nodesCpu = new CpuWatch(others.map((member) => member.pid))
    const result = await this.#load.run({ ...round, target: this.#target, bucket })
    const spent = { gateway: gatewayCpu.seconds(), nodes: nodesCpu.seconds() }
    if (result.firstError !== undefined)
      process.stderr.write(`${round.op} ${round.objectBytes}: ${result.firstError}\n`)
    const gigabytes = (result.ops * round.objectBytes) / 1e9
    return {
      state,
      op: round.op,
      objectBytes: round.objectBytes,
      clients: round.clients,
      opsPerS: round3(result.ops / result.seconds),
      mbPerS: round3((gigabytes * 1_000) / result.seconds),
      p50Ms: round3(result.p50Ms),
      p99Ms: round3(result.p99Ms),
      gatewayCpuSPerGB: round3(spent.gateway / gigabytes),
      nodesCpuSPerGB: round3(spent.nodes / gigabytes),
      cpuMsPerOp: round3(((spent.gateway + spent.nodes) * 1_000) / result.ops),
      gatewayResidentMB: Math.round((residentBytesOf(gateway.pid) ?? 0) / 1e6),
      errors: result.errors,
    }
  }
}

function printTable(line: BenchLine): void {
  const cells = Object.entries(line).map(([name, value]) => `${name}=${value}`)
  process.stdout.write(`${cells.join('  ')}\n`)
}

const options = new Command('bench')
  .option('--json', 'one JSON object per line')
  .option('--quick', 'fewer clients, shorter rounds')
  .option('--only <prefix>', 'rounds whose op:objectBytes:clients begins so')
  .parse()
  .opts<BenchOptions>()
const dataDir = mkdtempSync(join(tmpdir(), 'bundescloud-bench-'))
const load = new LoadGenerator()
try {
  const federation = await LocalFederation.start({ dataDir, port: 0 })
  try {
    await new Bench(federation, load, options).run((line) => {
      if (options.json) process.stdout.write(`${JSON.stringify(line)}\n`)
      else printTable(line)
    })
  } finally {
    await federation.stop()
  }
} finally {
  load.end()
  rmSync(dataDir, { recursive: true, force: true })
}
