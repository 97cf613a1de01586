import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizeOrNone } from '../../../ops/cli/bucket.ts'

test('sizes are bytes, or powers of 1,024 with a letter, or none', () => {
  assert.equal(sizeOrNone('0'), 0)
  assert.equal(sizeOrNone('12b'), 12)
  for (const text of ['2k', '2K', '2KB', '2KiB']) assert.equal(sizeOrNone(text), 2048)
  assert.equal(sizeOrNone('500GiB'), 500 * 2 ** 30)
  assert.equal(sizeOrNone('none'), 'none')
  for (const text of ['', '-1', '1.5G', '1 G', 'G', '1X', '1ib', '999999999999999P']) {
    assert.throws(() => sizeOrNone(text), /must be a size/, text)
  }
})
