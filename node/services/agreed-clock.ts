/**
 * A clock whose wall time is that of most members that are up, as their answers to pings tell it.
 *
 * A process that reaches nobody has only its own clock; it leads no group then, and so decides nothing by it.
 */
import { agreedOffsetMs } from '../core/agreed-time.ts'
import type { Clock, PeerState } from '../world.ts'

export function agreedClock(clock: Clock, peers: () => readonly PeerState[]): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs() + offsetAmong(peers()),
    after: (delayMs, run) => clock.after(delayMs, run),
  }
}

/** How far the agreed time is ahead of ours, in ms. */
export function offsetAmong(peers: readonly PeerState[]): number {
  return agreedOffsetMs(
    peers.flatMap(({ up, clockOffsetMs }) => (up && clockOffsetMs !== undefined ? [clockOffsetMs] : [])),
  )
}
