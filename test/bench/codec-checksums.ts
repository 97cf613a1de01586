/**
 * The checksum half of the codec benchmark: GB/s per CPU second, streams fed 64 KiB at a time as a socket does.
 */
import { createHash, randomBytes } from 'node:crypto'
import { Crc64Nvme as AwsCrc64Nvme } from '@aws-sdk/crc64-nvme'
import { crc32, crc32c } from '@node-rs/crc32'
import { Crc32, Crc32c, Crc64Nvme } from '../../wasm/checksum.ts'
import { Md5Scheduler, STREAMS_MIN } from '../../wasm/md5.ts'

const CHUNK_BYTES = 65_536
const CHUNKS = 400
const MD5_STREAMS = 12
const WARM_UP_MS = 500

export interface ChecksumFigures {
  readonly crc64Nvme: Comparison
  readonly crc32c: Comparison
  readonly crc32: Comparison
  /** Twelve streams in one event loop, in lanes and in node:crypto. */
  readonly md5x12: Comparison
}

interface Comparison {
  readonly wasm: number
  /** The package or module that it replaces. */
  readonly reference: number
  readonly ratio: number
}

export async function benchChecksums(rounds: number): Promise<ChecksumFigures> {
  const chunk = randomBytes(CHUNK_BYTES)
  const aws = new AwsCrc64Nvme()
  // One scheduler for all rounds, as in a gateway: its code is compiled once.
  const scheduler = new Md5Scheduler()
  const streams = { crc64: new Crc64Nvme(), crc32c: new Crc32c(), crc32: new Crc32() }
  return {
    crc64Nvme: await compare(
      rounds,
      repeated(() => streams.crc64.update(chunk)),
      repeated(() => aws.update(chunk)),
    ),
    crc32c: await compare(
      rounds,
      repeated(() => streams.crc32c.update(chunk)),
      repeated(() => crc32c(chunk)),
    ),
    crc32: await compare(
      rounds,
      repeated(() => streams.crc32.update(chunk)),
      repeated(() => crc32(chunk)),
    ),
    md5x12: await compare(
      rounds,
      () => md5InLanes(scheduler, chunk),
      () => md5InCrypto(chunk),
    ),
  }
}

/** CHUNKS pieces through each contender in turn, in CPU time; medians. */
async function compare(rounds: number, ours: () => unknown, theirs: () => unknown): Promise<Comparison> {
  const samples = { ours: [] as number[], theirs: [] as number[] }
  // Warm up until the optimising compiler has had its turn, on a machine whose cores are shared.
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) await measure(ours)
  for (let round = -1; round < rounds; round++) {
    const figures = { ours: await measure(ours), theirs: await measure(theirs) }
    if (round < 0) continue
    samples.ours.push(figures.ours)
    samples.theirs.push(figures.theirs)
  }
  const [wasm, reference] = [median(samples.ours), median(samples.theirs)]
  return { wasm, reference, ratio: Math.round((100 * wasm) / reference) / 100 }
}

async function measure(work: () => unknown): Promise<number> {
  const start = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(start)
  return (CHUNKS * CHUNK_BYTES) / (user + system) / 1e3
}

function median(samples: readonly number[]): number {
  const middle = [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN
  return Math.round(100 * middle) / 100
}

function repeated(work: () => unknown): () => void {
  return () => {
    for (let chunk = 0; chunk < CHUNKS; chunk++) work()
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Holds open the streams that would run in node:crypto, so that all measured ones are in lanes. */
async function md5InLanes(scheduler: Md5Scheduler, chunk: Uint8Array): Promise<void> {
  const held = Array.from({ length: STREAMS_MIN - 1 }, () => scheduler.stream())
  await overStreams(async () => {
    const stream = scheduler.stream()
    for (let sent = 0; sent < CHUNKS / MD5_STREAMS; sent++) {
      await stream.update(chunk)
      await turn()
    }
    await stream.digest()
  })
  for (const stream of held) stream.abort()
}

async function md5InCrypto(chunk: Uint8Array): Promise<void> {
  await overStreams(async () => {
    const hash = createHash('md5')
    for (let sent = 0; sent < CHUNKS / MD5_STREAMS; sent++) {
      hash.update(chunk)
      await turn()
    }
    hash.digest()
  })
}

async function overStreams(stream: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: MD5_STREAMS }, stream))
}
