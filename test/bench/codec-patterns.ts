/**
 * What a new erasure pattern costs before its first byte: planning, generating and compiling, in CPU milliseconds of
 * the calling thread. The optimising compiler works behind it on another thread and is not counted.
 */
import { codecFor } from '../../wasm/codec.ts'
import { selfTest } from '../../wasm/self-test.ts'

const SHAPES = [
  [8, 4],
  [12, 4],
  [17, 3],
  [20, 10],
] as const
const PATTERNS = 60
/** After a start the generator itself is compiled only so far as the self-test brought it. */
const FRESH = 5

export interface PatternFigures {
  readonly code: string
  /** The first patterns after the self-test that every process runs before it serves, in order. */
  readonly freshMs?: readonly number[]
  readonly medianMs: number
  readonly p90Ms: number
  readonly maxMs: number
}

/** m lost data shards, chosen differently each time. */
export function benchPatterns(): PatternFigures[] {
  selfTest()
  return SHAPES.map(([k, m], index) => {
    const times = patternTimes(k, m)
    const settled = times.slice(FRESH).sort((a, b) => a - b)
    const at = (share: number): number => settled[Math.floor((settled.length - 1) * share)] ?? Number.NaN
    return {
      code: `${k}+${m}`,
      ...(index === 0 && { freshMs: times.slice(0, FRESH) }),
      medianMs: at(0.5),
      p90Ms: at(0.9),
      maxMs: at(1),
    }
  })
}

function patternTimes(k: number, m: number): number[] {
  const codec = codecFor({ code: 'cauchy-xor', dataShards: k, parityShards: m })
  const pool = codec.createStripePool({ cellBytesMax: codec.blockBytes, trailerBytes: 0, stripesMax: 1 })
  const stripe = pool.tryAcquire()
  if (!stripe) throw new Error('a fresh pool has a stripe')
  for (const cell of stripe.cells) cell.fill(7)
  return lostSets(k, m).map((lost) => {
    const present = stripe.cells.map((_, shard) => !lost.has(shard))
    const start = process.threadCpuUsage()
    stripe.reconstruct(codec.blockBytes, { present })
    const { user, system } = process.threadCpuUsage(start)
    return Math.round((user + system) / 10) / 100
  })
}

/** Distinct sets of m of k data shards: steps through the combinations in lexical order, far apart. */
function lostSets(k: number, m: number): Set<number>[] {
  const all: number[][] = []
  const extend = (chosen: readonly number[], from: number): void => {
    if (all.length > 20_000) return
    if (chosen.length === m) {
      all.push([...chosen])
      return
    }
    for (let shard = from; shard < k; shard++) extend([...chosen, shard], shard + 1)
  }
  extend([], 0)
  const apart = Math.max(1, Math.floor(all.length / PATTERNS))
  return all
    .filter((_, index) => index % apart === 0)
    .slice(0, PATTERNS)
    .map((shards) => new Set(shards))
}
