import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Authenticator } from '../../../gateway/auth/authenticate.ts'
import { hoistedHeaders, isPresigned, parsePresigned } from '../../../gateway/auth/presigned.ts'
import { gatewayLimits } from '../../../gateway/limits.ts'
import { parseAddress, parseQuery } from '../../../gateway/s3/address.ts'
import { S3Error } from '../../../gateway/s3/errors.ts'
import type { Clock } from '../../../node/world.ts'
import { codeOf, codeOfPromise } from './s3-error-of.ts'
import { awsExamples } from './sigv4-golden.ts'

const startMs = Date.UTC(2013, 4, 24)
const { presignedExample, region } = awsExamples

const example = {
  secretAccessKey: awsExamples.secretAccessKey,
  user: { userId: 'u', name: 'n' },
  access: { policies: [] },
}

function clockAt(nowMs: number): Clock {
  return { monotonicMs: () => 0, wallMs: () => nowMs, after: () => () => undefined }
}

function authenticatorAt(nowMs: number): Authenticator {
  return new Authenticator({
    credentials: {
      find: async (accessKeyId) => (accessKeyId === awsExamples.accessKeyId ? example : undefined),
      user: async () => undefined,
      role: async () => undefined,
      managedPolicy: async () => undefined,
    },
    region,
    clock: clockAt(nowMs),
    limits: gatewayLimits,
    legacyFormSignatures: false,
  })
}

function authenticate(url: string, nowMs: number, headers: Record<string, string> = {}) {
  return authenticatorAt(nowMs).authenticate({
    method: 'GET',
    address: parseAddress(url, presignedExample.host, []),
    headers: { host: presignedExample.host, ...headers },
    anyRegion: false,
  })
}

const url = `${presignedExample.path}?${presignedExample.query}`

test("AWS's presigned example is accepted while it lives and refused afterwards", async () => {
  const accepted = await authenticate(url, startMs + 86_400_000)
  assert.equal(accepted.identity.userId, 'u')
  assert.deepEqual(accepted.payload, { kind: 'unsigned' })
  assert.equal(await codeOfPromise(authenticate(url, startMs + 86_400_001)), 'AccessDenied')
  assert.equal(await codeOfPromise(authenticate(url, startMs - 16 * 60_000)), 'AccessDenied')
})

test('a presigned URL that was changed anywhere is refused', async () => {
  for (const [from, to] of [
    ['/test.txt', '/other.txt'],
    ['86400', '86401'],
    ['aeeed9', 'aeeed8'],
    ['X-Amz-Signature', 'extra=1&X-Amz-Signature'],
  ] as const) {
    assert.equal(
      await codeOfPromise(authenticate(url.replace(from, to), startMs)),
      'SignatureDoesNotMatch',
      to,
    )
  }
  const unknown = url.replace('AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7UNKNOWN')
  assert.equal(await codeOfPromise(authenticate(unknown, startMs)), 'InvalidAccessKeyId')
})

test('an x-amz header that is not signed is refused on a presigned URL', async () => {
  const late = { 'x-amz-copy-source': '/secret/object' }
  assert.equal(await codeOfPromise(authenticate(url, startMs, late)), 'AccessDenied')
})

test('an Authorization header beside a presigned query is refused', async () => {
  const both = authenticate(url, startMs, { authorization: 'AWS4-HMAC-SHA256 x' })
  assert.equal(await codeOfPromise(both), 'InvalidArgument')
})

const nowMs = startMs
function parse(change: Record<string, string | undefined>): string {
  const fields: Record<string, string | undefined> = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AK/20130524/us-east-1/s3/aws4_request',
    'X-Amz-Date': '20130524T000000Z',
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': 'ab',
    ...change,
  }
  const query = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return codeOf(() => parsePresigned(query, { region, nowMs, limits: gatewayLimits }))
}

test('fields that are missing or malformed are refused as such', () => {
  assert.equal(parse({}), 'no error')
  for (const name of [
    'X-Amz-Algorithm',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
  ]) {
    assert.equal(parse({ [name]: undefined }), 'AuthorizationQueryParametersError', name)
  }
  assert.equal(parse({ 'X-Amz-Expires': '604800' }), 'no error')
  for (const expires of ['604801', '-1']) {
    assert.equal(parse({ 'X-Amz-Expires': expires }), 'AccessDenied', expires)
  }
  for (const expires of ['soon', '1e3']) {
    assert.equal(parse({ 'X-Amz-Expires': expires }), 'AuthorizationQueryParametersError', expires)
  }
  assert.equal(parse({ 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' }), 'AuthorizationQueryParametersError')
  assert.equal(
    parse({ 'X-Amz-Credential': 'AK/20130524/eu-west-1/s3/aws4_request' }),
    'AuthorizationQueryParametersError',
  )
  assert.equal(parse({ 'X-Amz-Date': '20130525T000000Z' }), 'AuthorizationQueryParametersError')
})

test('headers that a signer hoisted into the query count as headers, real ones win', () => {
  const query = parseQuery(
    'X-Amz-Date=1&x-amz-meta-a=%C3%BC&X-Amz-Acl=private&other=1&x-amz-checksum-crc32=x',
  )
  const headers = hoistedHeaders({ 'x-amz-acl': 'real' }, query)
  assert.deepEqual(headers, {
    'x-amz-meta-a': '\u00c3\u00bc',
    'x-amz-acl': 'real',
    'x-amz-checksum-crc32': 'x',
  })
})

test('the checksum of nothing that a signer without a body signed is not held against a body', () => {
  const query = parseQuery('x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32')
  assert.deepEqual(hoistedHeaders({ 'content-length': '5' }, query), { 'content-length': '5' })
  assert.equal(hoistedHeaders({ 'content-length': '0' }, query)['x-amz-checksum-crc32'], 'AAAAAA==')
})

test('whatever a query holds, parsing ends in a result or an S3 error below 500', () => {
  const name = fc.constantFrom(
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
      const query = [['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'] as const, ...pairs]
      assert.ok(isPresigned(query))
      try {
        parsePresigned(query, { region, nowMs, limits: gatewayLimits })
      } catch (error) {
        assert.ok(error instanceof S3Error)
        assert.ok(error.status < 500)
      }
    }),
  )
})

test("AWS's example of a POST form is accepted while its policy lasts, and its fields become headers", async () => {
  const { bucket, fields } = awsExamples.postExample
  const form = new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]))
  form.set('bucket', bucket)
  const request = {
    method: 'POST',
    address: parseAddress('/', 'h', []),
    headers: { host: 'h' },
    anyRegion: false,
  }
  const at = (time: string) => authenticatorAt(Date.parse(time)).authenticateForm(request, form)
  const { identity, headers } = await at('2015-12-29T12:00:00Z')
  assert.equal(identity.accessKeyId, awsExamples.accessKeyId)
  assert.deepEqual(headers, {
    host: 'h',
    'content-type': 'image/jpeg',
    'x-amz-acl': 'public-read',
    'x-amz-meta-tag': '',
    'x-amz-meta-uuid': '14365123651274',
    'x-amz-server-side-encryption': 'AES256',
  })
  assert.equal(await codeOfPromise(at('2015-12-30T12:00:00Z')), 'AccessDenied')
  form.set('x-amz-meta-uuid', '0')
  assert.equal(await codeOfPromise(at('2015-12-29T12:00:00Z')), 'AccessDenied')
})
