/**
 * The real clock and the real randomness of a process.
 */
import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../world.ts'

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

export const systemRandom: Random = {
  float: () => randomBytes(4).readUInt32LE() / 2 ** 32,
  hex: (count) => randomBytes(count).toString('hex'),
}
