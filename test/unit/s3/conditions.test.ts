import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRead, checkWrite, writeConditions } from '../../../gateway/s3/conditions.ts'
import { httpDate } from '../../../gateway/s3/dates.ts'
import { codeOf } from './s3-error-of.ts'

const object = { etag: 'abc', modifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }
const before = httpDate(object.modifiedMs - 1000)
const same = httpDate(object.modifiedMs)
const later = httpDate(object.modifiedMs + 1000)

test('If-Match and If-None-Match compare ETags, quoted or not, weak or not, in lists, or any', () => {
  for (const ifMatch of ['"abc"', 'abc', '*', '"x", "abc"', 'W/"abc"']) {
    assert.equal(checkRead({ ifMatch }, object), 'holds', ifMatch)
    assert.equal(checkRead({ ifNoneMatch: ifMatch }, object), 'not-modified', ifMatch)
  }
  assert.equal(checkRead({ ifMatch: '"x"' }, object), 'failed')
  assert.equal(checkRead({ ifNoneMatch: '"x"' }, object), 'holds')
})

test('times are compared in whole seconds', () => {
  assert.equal(checkRead({ ifModifiedSince: same }, object), 'not-modified')
  assert.equal(checkRead({ ifModifiedSince: before }, object), 'holds')
  assert.equal(checkRead({ ifUnmodifiedSince: same }, object), 'holds')
  assert.equal(checkRead({ ifUnmodifiedSince: before }, object), 'failed')
})

test('an ETag that matches beats a time that does not, as AWS documents', () => {
  assert.equal(checkRead({ ifMatch: 'abc', ifUnmodifiedSince: before }, object), 'holds')
  assert.equal(checkRead({ ifNoneMatch: 'abc', ifModifiedSince: before }, object), 'not-modified')
  assert.equal(checkRead({ ifNoneMatch: 'x', ifModifiedSince: later }, object), 'holds')
})

test('a date that is none is no condition', () => {
  assert.equal(checkRead({ ifUnmodifiedSince: 'yesterday', ifModifiedSince: '' }, object), 'holds')
})

test('writes know If-Match and If-None-Match, with any ETag', () => {
  assert.deepEqual(writeConditions({ 'if-none-match': '*' }), { ifNoneMatch: '*' })
  assert.deepEqual(writeConditions({ 'if-match': '"abc"' }), { ifMatch: 'abc' })
  assert.deepEqual(writeConditions({}), {})
  assert.deepEqual(writeConditions({ 'if-none-match': '"abc"' }), { ifNoneMatch: 'abc' })
})

test('a write is refused early exactly when the catalog would refuse it', () => {
  assert.equal(
    codeOf(() => checkWrite({ ifNoneMatch: '*' }, undefined)),
    'no error',
  )
  assert.equal(
    codeOf(() => checkWrite({ ifNoneMatch: '*' }, object)),
    'PreconditionFailed',
  )
  assert.equal(
    codeOf(() => checkWrite({ ifMatch: 'abc' }, object)),
    'no error',
  )
  assert.equal(
    codeOf(() => checkWrite({ ifMatch: '*' }, object)),
    'no error',
  )
  assert.equal(
    codeOf(() => checkWrite({ ifMatch: 'x' }, object)),
    'PreconditionFailed',
  )
  assert.equal(
    codeOf(() => checkWrite({ ifMatch: 'abc' }, undefined)),
    'NoSuchKey',
  )
})
