import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../../../gateway/s3/errors.ts'
import { checkPostPolicy, parsePostPolicy } from '../../../gateway/s3/post-policy.ts'
import { codeOf } from './s3-error-of.ts'

const expiration = '2030-01-01T00:00:00Z'
const nowMs = Date.parse('2029-12-31T23:00:00Z')

function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}

function parse(policy: unknown) {
  return parsePostPolicy(encode(JSON.stringify(policy)))
}

function check(conditions: readonly unknown[], fields: Record<string, string>, atMs = nowMs) {
  return checkPostPolicy(parse({ expiration, conditions }), new Map(Object.entries(fields)), atMs)
}

function deniedBecause(conditions: readonly unknown[], fields: Record<string, string>, atMs = nowMs): string {
  try {
    check(conditions, fields, atMs)
  } catch (error) {
    assert.ok(error instanceof S3Error && error.code === 'AccessDenied')
    return error.message.replace('Invalid according to Policy: ', '')
  }
  return 'allowed'
}

test('a policy holds when every field is covered and every condition is met', () => {
  const conditions = [
    { bucket: 'akten' },
    ['starts-with', '$key', 'kamera/'],
    ['eq', '$acl', 'private'],
    ['starts-with', '$x-amz-meta-note', ''],
    ['content-length-range', 1, '10'],
    ['Content-Length-Range', 0, 8],
  ]
  const fields = { bucket: 'akten', key: 'kamera/1', acl: 'private', policy: 'p', 'x-amz-signature': 's' }
  assert.deepEqual(check(conditions, fields), { bytesMin: 1, bytesMax: 8 })
  assert.match(
    deniedBecause(conditions, { ...fields, key: 'x' }),
    /Condition failed: \["starts-with","\$key","kamera\/"\]/,
  )
  assert.match(deniedBecause(conditions, { ...fields, acl: 'public-read' }), /Condition failed/)
  assert.match(deniedBecause(conditions, { ...fields, bucket: 'other' }), /Condition failed/)
  assert.equal(
    deniedBecause(conditions, { ...fields, extra: 'x', more: '' }),
    'Extra input fields: extra, more',
  )
})

test('a policy ends at its expiration', () => {
  const conditions = [{ key: 'k' }]
  const endMs = Date.parse(expiration)
  assert.equal(deniedBecause(conditions, { key: 'k' }, endMs - 1), 'allowed')
  assert.equal(deniedBecause(conditions, { key: 'k' }, endMs), 'Policy expired.')
})

test('fields that sign, are ignored or state a digest need no condition; an algorithm does', () => {
  const free = [
    'policy',
    'signature',
    'awsaccesskeyid',
    'file',
    'x-amz-signature',
    'x-ignore-me',
    'x-amz-checksum-crc32',
    'content-md5',
  ]
  for (const name of free) assert.equal(deniedBecause([], { [name]: 'x' }), 'allowed', name)
  for (const name of [
    'key',
    'acl',
    'x-amz-date',
    'x-amz-credential',
    'x-amz-checksum-algorithm',
    'x-amz-meta-a',
  ]) {
    assert.equal(deniedBecause([], { [name]: 'x' }), `Extra input fields: ${name}`)
  }
})

test('a list of content types is met by each of them', () => {
  const conditions = [['starts-with', '$Content-Type', 'image/']]
  assert.equal(deniedBecause(conditions, { 'content-type': 'image/png, image/jpeg' }), 'allowed')
  assert.match(deniedBecause(conditions, { 'content-type': 'image/png,text/html' }), /Condition failed/)
})

test('names of conditions and fields have no case, those of the document have', () => {
  assert.equal(
    deniedBecause([{ bUcKeT: 'b' }, ['StArTs-WiTh', '$KeY', 'k']], { bucket: 'b', key: 'k' }),
    'allowed',
  )
  assert.equal(
    codeOf(() => parse({ EXPIRATION: expiration, conditions: [] })),
    'InvalidPolicyDocument',
  )
  assert.equal(
    codeOf(() => parse({ expiration, CONDITIONS: [] })),
    'InvalidPolicyDocument',
  )
})

test('a dollar sign may be escaped, and the last element may end in a comma, as in the examples of AWS', () => {
  const text = `{"expiration": "${expiration}", "conditions": [{"key": "\\$a,]\\"}"}, {"acl": "x",}, ],\n}`
  const { conditions } = parsePostPolicy(encode(text))
  assert.deepEqual(conditions, [
    { kind: 'eq', field: 'key', value: '$a,]"}' },
    { kind: 'eq', field: 'acl', value: 'x' },
  ])
  const kept = parsePostPolicy(
    encode(`{"expiration": "${expiration}", "conditions": [["eq", "$key", "\\\\$a"]]}`),
  )
  assert.deepEqual(kept.conditions, [{ kind: 'eq', field: 'key', value: '\\$a' }])
})

test('what is no policy is refused', () => {
  const bad: unknown[] = [
    null,
    [],
    'x',
    { expiration },
    { conditions: [] },
    { expiration: '2030-01-01 00:00:00+00:00', conditions: [] },
    { expiration: '2030-13-01T00:00:00Z', conditions: [] },
    { expiration: 5, conditions: [] },
    { expiration, conditions: {} },
    { expiration, conditions: [{}] },
    { expiration, conditions: [{ a: 'b', c: 'd' }] },
    { expiration, conditions: [{ a: 5 }] },
    { expiration, conditions: ['x'] },
    { expiration, conditions: [null] },
    { expiration, conditions: [['eq', 'key', 'k']] },
    { expiration, conditions: [['eq', '$key']] },
    { expiration, conditions: [['like', '$key', 'k']] },
    { expiration, conditions: [['content-length-range', 0]] },
    { expiration, conditions: [['content-length-range', -1, 0]] },
    { expiration, conditions: [['content-length-range', 0, 1.5]] },
  ]
  for (const policy of bad)
    assert.equal(
      codeOf(() => parse(policy)),
      'InvalidPolicyDocument',
      JSON.stringify(policy),
    )
  for (const text of ['', '%%%', encode('{'), Buffer.from([0xff, 0xfe]).toString('base64')]) {
    assert.equal(
      codeOf(() => parsePostPolicy(text)),
      'InvalidPolicyDocument',
    )
  }
})

test('whatever a policy holds, it is parsed or refused, soon', () => {
  const text = fc.oneof(
    fc.json(),
    fc
      .array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', '$', ' ', 'a', 'conditions', 'expiration'), {
        maxLength: 200,
      })
      .map((all) => all.join('')),
    fc.nat(12_000).map((length) => '"\\'.repeat(length / 2)),
    fc.nat(12_000).map((length) => ','.repeat(length)),
  )
  fc.assert(
    fc.property(text, (policy) => {
      const startMs = performance.now()
      assert.ok(['InvalidPolicyDocument', 'no error'].includes(codeOf(() => parsePostPolicy(encode(policy)))))
      assert.ok(performance.now() - startMs < 500)
    }),
    { numRuns: 300 },
  )
})
