import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash32 } from '../../node/core/hash.ts'
import { groupOf, groupsOf, slotCount, slotOf } from '../../node/core/slots.ts'

test('the hash gives the published values of MurmurHash3 x86 32', () => {
  assert.equal(hash32('', 0), 0)
  assert.equal(hash32('', 1), 0x514e28b7)
  assert.equal(hash32('', 0xffffffff), 0x81f16f39)
  assert.equal(hash32('test', 0), 0xba6bd213)
  assert.equal(hash32('test', 0x9747b28c), 0x704b81dc)
  assert.equal(hash32('Hello, world!', 0), 0xc0363e43)
  assert.equal(hash32('Hello, world!', 0x9747b28c), 0x24884cba)
  assert.equal(hash32('The quick brown fox jumps over the lazy dog', 0), 0x2e4ff723)
  assert.equal(hash32('The quick brown fox jumps over the lazy dog', 0x9747b28c), 0x2fa826cd)
  assert.equal(hash32('ππππππππ', 0x9747b28c), 0xd58063c1)
  for (const [text, value] of [
    ['a', 0x7fa09ea6],
    ['aa', 0x5d211726],
    ['aaa', 0x283e0130],
    ['aaaa', 0x5a97808a],
    ['abc', 0xc84a62dd],
    ['abcd', 0xf0478627],
  ] as const) {
    assert.equal(hash32(text, 0x9747b28c), value, text)
  }
})

test('slots never change: golden values', () => {
  const golden: readonly (readonly [string, string, number])[] = [
    ['00', '', 29],
    ['00', 'a', 93],
    ['0123456789abcdef', 'polizei/2026/01/01/clip.mp4', 69],
    ['0123456789abcdef', 'polizei/2026/01/01/clip.mp5', 242],
    ['0123456789abcdef', 'Übergröße/日本/🚓.mp4', 174],
    ['fedcba9876543210', 'polizei/2026/01/01/clip.mp4', 172],
  ]
  assert.deepEqual(
    golden.map(([bucketId, key]) => slotOf(bucketId, key)),
    golden.map(([, , slot]) => slot),
  )
})

test('keys that differ only in a number fill all slots evenly', () => {
  const counts = new Array<number>(slotCount).fill(0)
  const keys = 51_200
  for (let at = 0; at < keys; at += 1) {
    const slot = slotOf('0123456789abcdef', `bpol/berlin/2026/01/01/${at}.mp4`)
    counts[slot] = (counts[slot] ?? 0) + 1
  }
  const expected = keys / slotCount
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  // 255 degrees of freedom: mean 255, standard deviation 22.6; the keys are fixed, so this does not flicker.
  assert.ok(chiSquare < 255 + 5 * 22.6, `chi square ${chiSquare}`)
})

test('the group of a key is the one its slot points to', () => {
  const slots = Array.from({ length: slotCount }, (_, at) => `catalog-${at % 3}`)
  const at = { bucketId: 'ab', key: 'k' }
  assert.equal(groupOf({ slots }, at), `catalog-${slotOf('ab', 'k') % 3}`)
  assert.deepEqual(groupsOf({ slots }), ['catalog-0', 'catalog-1', 'catalog-2'])
  assert.throws(() => groupOf({ slots: [] }, at), /invariant/)
})
