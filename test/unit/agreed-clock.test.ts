import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { agreedOffsetMs } from '../../node/core/agreed-time.ts'
import { agreedClock } from '../../node/services/agreed-clock.ts'
import type { Clock, PeerState } from '../../node/world.ts'

const yearMs = 365 * 24 * 3_600_000

test('while most clocks are right within a bound, the agreed time is, whatever the others say', () => {
  const cases = fc.record({
    right: fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 8 }),
    wrong: fc.array(fc.integer({ min: -yearMs, max: yearMs }), { maxLength: 2 }),
    own: fc.integer({ min: -yearMs, max: yearMs }),
  })
  fc.assert(
    fc.property(cases, ({ right, wrong, own }) => {
      fc.pre(right.length > wrong.length + 1)
      const ownMs = 1_000_000_000_000 + own
      const offsets = [...right, ...wrong].map((offset) => 1_000_000_000_000 + offset - ownMs)
      const agreed = ownMs + agreedOffsetMs(offsets) - 1_000_000_000_000
      assert.ok(Math.abs(agreed) <= 50, `agreed ${agreed}`)
    }),
  )
})

test('of two clocks the earlier one counts, and alone the own', () => {
  assert.equal(agreedOffsetMs([1_000]), 0)
  assert.equal(agreedOffsetMs([-1_000]), -1_000)
  assert.equal(agreedOffsetMs([]), 0)
})

test('a peer that is down, or was not measured, says nothing about the time', () => {
  const own: Clock = { monotonicMs: () => 5, wallMs: () => 10_000, after: () => () => undefined }
  const peer = (up: boolean, clockOffsetMs?: number): PeerState => ({
    nodeId: 'n',
    up,
    rttMs: 1,
    clockOffsetMs,
  })
  let peers = [peer(false, -9_000), peer(true, 3_000), peer(true, 3_000), peer(true)]
  const clock = agreedClock(own, () => peers)
  assert.equal(clock.wallMs(), 13_000)
  assert.equal(clock.monotonicMs(), 5)
  peers = []
  assert.equal(clock.wallMs(), 10_000)
})
