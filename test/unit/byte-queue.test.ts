import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteQueue } from '../../gateway/object/byte-queue.ts'

test('bytes leave in the order they came, however they are cut', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 })
  fc.assert(
    fc.property(
      lengths,
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 400 })), { maxLength: 60 }),
      (ins, outs) => {
        const queue = new ByteQueue()
        let next = 0
        for (const length of ins) queue.push(Buffer.from(Array.from({ length }, () => next++ & 0xff)))
        const expected = Buffer.from(Array.from({ length: next }, (_, i) => i & 0xff))
        let seen = 0
        for (const [copy, count] of outs) {
          const available = Math.min(count, queue.bytes)
          const got = Buffer.alloc(available)
          if (copy) assert.equal(queue.copyInto(got, count), available)
          else Buffer.concat(queue.take(available)).copy(got)
          assert.ok(got.equals(expected.subarray(seen, seen + available)))
          seen += available
          assert.equal(queue.bytes, expected.length - seen)
        }
      },
    ),
  )
})

test('taking more than is queued is refused', () => {
  const queue = new ByteQueue()
  queue.push(Buffer.from('abc'))
  assert.throws(() => queue.take(4), RangeError)
})
