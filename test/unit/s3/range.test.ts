import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../../../gateway/s3/errors.ts'
import { parseRange, resolveCopyRange, resolveRange } from '../../../gateway/s3/range.ts'
import { codeOf } from './s3-error-of.ts'

function resolve(header: string, bytes: number): string {
  const range = parseRange(header)
  if (range === undefined) return 'whole'
  try {
    const { firstByte, lastByte } = resolveRange(range, bytes)
    return `${firstByte}-${lastByte}`
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
}

test('the three forms of a range', () => {
  assert.equal(resolve('bytes=0-9', 100), '0-9')
  assert.equal(resolve('bytes=90-', 100), '90-99')
  assert.equal(resolve('bytes=-10', 100), '90-99')
  assert.equal(resolve('bytes=-1000', 100), '0-99')
  assert.equal(resolve('bytes=0-1000', 100), '0-99')
  assert.equal(resolve('Bytes = 5 - 5', 100), '5-5')
})

test('ranges that hold no byte are 416', () => {
  for (const header of ['bytes=100-', 'bytes=100-200', 'bytes=-0']) {
    assert.equal(resolve(header, 100), 'InvalidRange', header)
  }
  for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
    assert.equal(resolve(header, 0), 'InvalidRange', header)
})

test('ranges that are malformed or several are ignored', () => {
  for (const header of [
    'bytes=0-1,5-6',
    'bytes=9-0',
    'bytes=-',
    'bytes=a-b',
    'items=0-1',
    '',
    'bytes',
    'bytes=1',
  ]) {
    assert.equal(resolve(header, 100), 'whole', header)
  }
})

test('a resolved range always lies within the object', () => {
  fc.assert(
    fc.property(fc.nat(), fc.option(fc.nat()), fc.nat(1000), (first, last, bytes) => {
      const answer = resolve(`bytes=${first}-${last ?? ''}`, bytes)
      const match = /^(\d+)-(\d+)$/.exec(answer)
      if (match === null) {
        assert.ok(answer === 'InvalidRange' || answer === 'whole')
        return
      }
      assert.ok(Number(match[1]) <= Number(match[2]))
      assert.ok(Number(match[2]) < bytes)
    }),
  )
})

test('whatever the header holds, it is a range, ignored, or 416', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `bytes=${text}`),
      ),
      (header) => {
        assert.match(resolve(header, 10), /^(whole|InvalidRange|\d-\d)$/)
      },
    ),
  )
})

test('the range of a copied part must be whole and within the source', () => {
  assert.deepEqual(resolveCopyRange('bytes=5-9', 10), { firstByte: 5, lastByte: 9 })
  assert.equal(
    codeOf(() => resolveCopyRange('bytes=5-10', 10)),
    'InvalidRange',
  )
  for (const header of ['bytes=5-', 'bytes=-5', 'bytes=9-5', '5-9', 'bytes=0-1,2-3']) {
    assert.equal(
      codeOf(() => resolveCopyRange(header, 10)),
      'InvalidArgument',
      header,
    )
  }
})
