/**
 * What a stripe pool and its stripes accept: the border between callers' values and addresses.
 *
 * Invariant: whatever passes here stays inside of the pool's memory. Every refusal names the value and the rule.
 */
import { type Code, range } from './code.ts'
import { CodecError } from './codec-error.ts'
import type { Engine } from './engine.ts'
import type { StripePoolOptions } from './stripe-pool.ts'

/** Throws CodecError unless every option is a size and cells are whole blocks. */
export function checkOptions(
  engine: Engine,
  { cellBytesMax, trailerBytes, stripesMax }: StripePoolOptions,
): void {
  for (const [name, value, atLeast] of [
    ['cellBytesMax', cellBytesMax, engine.blockBytes],
    ['trailerBytes', trailerBytes, 0],
    ['stripesMax', stripesMax, 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < atLeast) {
      throw new CodecError(`${name} must be an integer of at least ${atLeast}, got ${value}`)
    }
  }
  if (cellBytesMax % engine.blockBytes !== 0) {
    throw new CodecError(`cellBytesMax must be a multiple of ${engine.blockBytes}, got ${cellBytesMax}`)
  }
}

/** Throws CodecError unless `index` is an integer in [0, count). */
export function checkIndex(name: string, index: number, count: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new CodecError(`${name} must be an integer in [0, ${count}), got ${index}`)
  }
}

/**
 * The shards to compute, in ascending order. Throws CodecError unless `present` holds a boolean per shard with at
 * least k true, and every wanted shard exists and is missing.
 */
export function checkPattern(
  present: readonly boolean[],
  wanted: readonly number[] | undefined,
  code: Code,
): number[] {
  const shards = code.generator.rows
  if (
    !Array.isArray(present) ||
    present.length !== shards ||
    present.some((flag) => typeof flag !== 'boolean')
  ) {
    throw new CodecError(`present must hold ${shards} booleans`)
  }
  const count = present.filter(Boolean).length
  if (count < code.spec.dataShards) {
    throw new CodecError(`${count} shards are present, ${code.spec.dataShards} are needed`)
  }
  if (wanted === undefined) return range(0, shards).filter((shard) => !present[shard])
  if (!Array.isArray(wanted)) throw new CodecError('wanted must be an array of shard indices')
  for (const shard of wanted) {
    checkIndex('a wanted shard', shard, shards)
    if (present[shard]) throw new CodecError(`shard ${shard} is wanted but present`)
  }
  return [...new Set(wanted)].sort((a, b) => a - b)
}
