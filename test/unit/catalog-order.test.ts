import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareBytes, prefixEnd, utf8Bytes } from '../../node/core/byte-order.ts'

/** Text that dwells on the borders: NUL, the units around the surrogates, the last code points. */
const texts = fc
  .array(
    fc.constantFrom(
      '\u0000',
      '\u0001',
      '/',
      'a',
      'ü',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ),
    {
      maxLength: 6,
    },
  )
  .map((characters) => characters.join(''))

test('keys are compared by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.from(a).compare(Buffer.from(b)))
    }),
    { numRuns: 2000 },
  )
})

test('the end of a prefix is above all that begin with it and not above anything else that is above them', () => {
  fc.assert(
    fc.property(texts, texts, texts, (prefix, rest, other) => {
      fc.pre([...prefix].some((character) => character !== '\u{10ffff}'))
      const end = prefixEnd(prefix)
      assert.ok(end.isWellFormed())
      assert.ok(compareBytes(prefix + rest, end) < 0)
      if (compareBytes(other, prefix) > 0 && !other.startsWith(prefix))
        assert.ok(compareBytes(other, end) >= 0)
    }),
    { numRuns: 2000 },
  )
  assert.throws(() => prefixEnd('\u{10ffff}'), /invariant/)
})

test('the length of UTF-8 is counted without encoding', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(utf8Bytes(text), Buffer.byteLength(text))
    }),
  )
})
