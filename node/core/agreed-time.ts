/**
 * The time of the federation: what most clocks say, not what one machine says.
 *
 * Retention ends and expiry begins by the clock, so one clock that is ahead must neither free nor destroy evidence.
 * Invariant: as long as most of the clocks asked are right within some bound, the result is right within that bound,
 * whatever the others say; of an even number the earlier middle counts, so that doubt keeps evidence. Cf. D. Mills,
 * RFC 5905, section 11.2 (selection): the median is its simplest case.
 */

/**
 * What to add to our own wall clock.
 * @param peerOffsetsMs how far each peer's clock is ahead of ours; our own counts as one more, with 0
 */
export function agreedOffsetMs(peerOffsetsMs: readonly number[]): number {
  const offsets = [...peerOffsetsMs, 0].sort((a, b) => a - b)
  return offsets[Math.floor((offsets.length - 1) / 2)] ?? 0
}
