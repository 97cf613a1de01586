/**
 * The codec benchmark: `npm run bench:codec -- [--json [--full]] [--quick]`.
 *
 * GB/s = k x cell bytes per CPU second of one thread, 1e9; medians of interleaved rounds, so that noise on a shared
 * machine hits all competitors alike. Ops: encode; lostM: m data cells lost (or all k); lost1: one data cell lost.
 * --json prints one object and nothing else on standard output; --full adds to it the XOR-read limit, checksums, MD5,
 * new erasure patterns and all cores; without --json a table. --quick: 64 KiB cells and shorter rounds.
 */
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { ReedSolomonErasure } from '@subspace/reed-solomon-erasure.wasm'
import { type CodeSpec, codecFor, type Stripe } from '../../wasm/codec.ts'
import { benchChecksums } from './codec-checksums.ts'
import { IsalDriver, type IsalVariant } from './codec-native.ts'
import { benchPatterns } from './codec-patterns.ts'
import { benchThreads } from './codec-threads.ts'

const GEOMETRIES = [
  [4, 2],
  [6, 3],
  [8, 4],
  [10, 4],
  [12, 4],
  [16, 4],
  [17, 3],
  [20, 10],
] as const
const CELL_BYTES = [4096, 65_536, 1_048_576]
const json = process.argv.includes('--json')
const full = process.argv.includes('--full')
const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 3 : 7
/** Data per round: long against a timer tick, short against the noise of neighbours. */
const ROUND_BYTES = quick ? 3e8 : 5e8
/** The npm package is a hundred times slower: less data measures it as well. */
const SLOW_ROUND_BYTES = 4e6

const WARM_UP_MS = 200
/** Memory of the pool that stripes are taken from. */
const POOL_BYTES = 2 ** 25
/** Stripes that take turns, one a round: which cells fight for the same cache sets is decided by their pages. */
const STRIPES_MAX = 7

type Op = 'encode' | 'lostM' | 'lost1'
const OPS: readonly Op[] = ['encode', 'lostM', 'lost1']
type Competitor = 'wasm' | 'npm' | IsalVariant | 'memcpy' | 'xorRead'
type Figures = Record<Competitor, number | null>

interface Result {
  readonly code: string
  readonly cellBytes: number
  readonly op: Op
  readonly gbps: Figures
}

/** Runs once and returns the CPU seconds that `rounds` repetitions took. */
type Runner = { readonly bytes: number; run(rounds: number): number | Promise<number> }

function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

function repeat(rounds: number, work: () => void): number {
  return cpuSeconds(() => {
    for (let round = 0; round < rounds; round++) work()
  })
}

async function interleaved(runners: ReadonlyMap<Competitor, Runner>): Promise<Figures> {
  const samples = new Map<Competitor, number[]>()
  // Until the optimising compiler, which runs on another thread of a shared machine, has had its turn.
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; )
    await runners.get('wasm')?.run(10)
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, runner] of runners) {
      const target = name === 'npm' ? SLOW_ROUND_BYTES : ROUND_BYTES
      const rounds = Math.max(1, Math.ceil(target / runner.bytes))
      const seconds = await runner.run(rounds)
      // Round -1 warms up: code is compiled, pages are touched.
      if (round >= 0)
        samples.set(name, [...(samples.get(name) ?? []), (rounds * runner.bytes) / seconds / 1e9])
    }
  }
  const figure = (name: Competitor): number | null => {
    const sorted = samples.get(name)?.sort((a, b) => a - b)
    const median = sorted?.[Math.floor(sorted.length / 2)]
    return median === undefined ? null : Math.round(median * 100) / 100
  }
  const [wasm, npm, memcpy, xorRead] = [figure('wasm'), figure('npm'), figure('memcpy'), figure('xorRead')]
  return {
    wasm,
    npm,
    isalSse: figure('isalSse'),
    isalAvx2: figure('isalAvx2'),
    isalAvx512: figure('isalAvx512'),
    memcpy,
    xorRead,
  }
}

function lostShards(op: Op, k: number, m: number): number[] {
  if (op === 'encode') return []
  return Array.from({ length: op === 'lost1' ? 1 : Math.min(k, m) }, (_, shard) => shard)
}

/** Each run takes the next stripe, once without being timed: the pages are touched, the caches hold what they can. */
function stripeRunner(stripes: readonly Stripe[], bytes: number, work: (stripe: Stripe) => void): Runner {
  let runs = 0
  return {
    bytes,
    run: (rounds) => {
      const stripe = stripes[runs++ % stripes.length] as Stripe
      work(stripe)
      return repeat(rounds, () => work(stripe))
    },
  }
}

function wasmRunner(
  stripes: readonly Stripe[],
  cellBytes: number,
  op: Op,
  [k, m]: readonly [number, number],
): Runner {
  const lost = new Set(lostShards(op, k, m))
  const present = Array.from({ length: k + m }, (_, shard) => !lost.has(shard))
  const work = (stripe: Stripe): void => {
    if (op === 'encode') stripe.encode(cellBytes)
    else stripe.reconstruct(cellBytes, { present })
  }
  return stripeRunner(stripes, k * cellBytes, work)
}

function npmRunner(
  cellBytes: number,
  op: Op,
  [k, m]: readonly [number, number],
  npm: ReedSolomonErasure,
): Runner {
  const shards = new Uint8Array((k + m) * cellBytes).fill(7)
  const lost = new Set(lostShards(op, k, m))
  const available = Array.from({ length: k + m }, (_, shard) => !lost.has(shard))
  const work = (): void => {
    const result = op === 'encode' ? npm.encode(shards, k, m) : npm.reconstruct(shards, k, m, available)
    if (result !== ReedSolomonErasure.RESULT_OK) throw new Error(`the npm package answered ${result}`)
  }
  work()
  return { bytes: k * cellBytes, run: (rounds) => repeat(rounds, work) }
}

/** Stripes from all over a pool of the size that a gateway has. */
function stripesInPool(
  spec: CodeSpec,
  cellBytes: number,
): { readonly stripes: readonly Stripe[]; readonly bytes: number } {
  const codec = codecFor(spec)
  // Fields of five bits have blocks that no power of two is a multiple of: the largest cell that fits.
  const bytes = Math.floor(cellBytes / codec.blockBytes) * codec.blockBytes
  const cells = spec.dataShards + spec.parityShards
  const stripesMax = Math.max(2, Math.ceil(POOL_BYTES / (cells * bytes)))
  const pool = codec.createStripePool({ cellBytesMax: bytes, trailerBytes: 8, stripesMax })
  const all: Stripe[] = []
  for (let stripe = pool.tryAcquire(); stripe; stripe = pool.tryAcquire()) all.push(stripe)
  const apart = Math.ceil(all.length / STRIPES_MAX)
  const stripes = all.filter((_, index) => index % apart === 0)
  for (const { cells } of stripes) for (const cell of cells) cell.fill(7)
  return { stripes, bytes }
}

/** memcpy: k cells copied, into as many others. */
function copyRunner(cellBytes: number, k: number): Runner {
  const from = Buffer.alloc(k * cellBytes, 1)
  const to = Buffer.alloc(k * cellBytes, 2)
  return { bytes: from.length, run: (rounds) => repeat(rounds, () => from.copy(to)) }
}

/** The XOR-read limit: k cells read, one written, by the same engine (k+1). */
function xorReadRunner(cellBytes: number, k: number): Runner {
  const { stripes, bytes } = stripesInPool({ code: 'cauchy-xor', dataShards: k, parityShards: 1 }, cellBytes)
  return stripeRunner(stripes, k * bytes, (stripe) => stripe.encode(bytes))
}

async function benchGeometry(
  shape: readonly [number, number],
  cellBytes: number,
  comparators: { readonly npm: ReedSolomonErasure; readonly isal: IsalDriver | undefined },
): Promise<Result[]> {
  const [k, m] = shape
  const { stripes, bytes } = stripesInPool({ code: 'cauchy-xor', dataShards: k, parityShards: m }, cellBytes)
  const results: Result[] = []
  for (const op of OPS) {
    const runners = new Map<Competitor, Runner>([
      ['wasm', wasmRunner(stripes, bytes, op, shape)],
      ['npm', npmRunner(cellBytes, op, shape, comparators.npm)],
      ['memcpy', copyRunner(cellBytes, k)],
      ['xorRead', xorReadRunner(cellBytes, k)],
    ])
    const rows = op === 'encode' ? m : lostShards(op, k, m).length
    for (const variant of comparators.isal?.variants ?? []) {
      const job = { dataShards: k, parityShards: m, cellBytes, rows }
      const run = async (rounds: number): Promise<number> =>
        (await comparators.isal?.measure(variant, { ...job, rounds })) ?? 0
      runners.set(variant, { bytes: k * cellBytes, run })
    }
    results.push({ code: `${k}+${m}`, cellBytes, op, gbps: await interleaved(runners) })
  }
  return results
}

/** Geometric mean of wasm / `against` over encode at 64 KiB with m <= 4; null when a figure is missing. */
function geomean(results: readonly Result[], against: Competitor): number | null {
  const chosen = results.filter(
    ({ op, cellBytes, code }) => op === 'encode' && cellBytes === 65_536 && code !== '20+10',
  )
  const logs = chosen.map(({ gbps }) => {
    const [ours, theirs] = [gbps.wasm, gbps[against]]
    return ours === null || theirs === null ? Number.NaN : Math.log(ours / theirs)
  })
  const mean = Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)
  return Number.isFinite(mean) ? Math.round(mean * 1000) / 1000 : null
}

/** With family and model where Linux tells them: a hypervisor may hide the generation behind "AMD EPYC". */
function cpuName(): string {
  const name = cpus()[0]?.model ?? 'unknown'
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const facts = ['cpu family', 'model', 'cache size'].map((key) => {
    const value = new RegExp(`^${key}\\s*: (.*)$`, 'm').exec(info)?.[1]
    return value === undefined ? '' : `, ${key} ${value}`
  })
  return name + facts.join('')
}

async function main(): Promise<void> {
  // First of all, while the process is as fresh as a restarted gateway.
  const patterns = full || !json ? benchPatterns() : []
  const comparators = { npm: await ReedSolomonErasure.fromCurrentDirectory(), isal: IsalDriver.start() }
  const results: Result[] = []
  for (const cellBytes of quick ? [65_536] : CELL_BYTES) {
    for (const shape of GEOMETRIES) results.push(...(await benchGeometry(shape, cellBytes, comparators)))
  }
  comparators.isal?.close()
  const summary = {
    node: process.version,
    results: results.map(({ gbps: { xorRead: _, ...gbps }, ...result }) => ({ ...result, gbps })),
    geomeanEncode64KiBVsIsalAvx512: geomean(results, 'isalAvx512'),
    geomeanEncode64KiBVsNpm: geomean(results, 'npm'),
  }
  if (json && !full) {
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    return
  }
  const report = {
    ...summary,
    results,
    geomeanEncode64KiBVsIsalAvx2: geomean(results, 'isalAvx2'),
    cpu: cpuName(),
    flags: process.execArgv.filter((option) => option.startsWith('--experimental-wasm')),
    checksums: await benchChecksums(ROUNDS),
    threads: await benchThreads(),
    patterns,
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  console.table(results.map(({ code, cellBytes, op, gbps }) => ({ code, cellBytes, op, ...gbps })))
  console.dir({ ...report, results: `${results.length} above` }, { depth: null })
}

await main()
