/** Random requests over HTTP: whatever comes, the answer is no 500 and the gateway lives on. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type Conformance, startConformance } from './harness.ts'
import { encodeForm, post, signedFields } from './post-form.ts'
import { encodeRfc3986, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const names = fc.constantFrom(
  'acl',
  'uploads',
  'uploadId',
  'partNumber',
  'list-type',
  'prefix',
  'marker',
  'max-keys',
  'delimiter',
  'encoding-type',
  'continuation-token',
  'start-after',
  'versionId',
  'delete',
  'location',
  'response-expires',
  'key-marker',
  'upload-id-marker',
  'max-buckets',
  '__proto__',
)
const value = fc.oneof(
  fc.constantFrom('', '0', '1', '-1', '2', 'null', 'url', '/', '99999999999'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.nat(4000).map((length) => 'l'.repeat(length)),
)
const headerNames = fc.constantFrom(
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'x-amz-copy-source',
  'x-amz-copy-source-range',
  'content-md5',
  'x-amz-checksum-crc32',
  'x-amz-checksum-algorithm',
  'x-amz-checksum-type',
  'x-amz-trailer',
  'x-amz-decoded-content-length',
  'x-amz-metadata-directive',
  'x-amz-mp-object-size',
  'content-encoding',
  'x-amz-meta-a',
)
const headerValue = fc.oneof(
  fc.constantFrom(
    '*',
    'bytes=0-1',
    'bytes=-1',
    'CRC32',
    'COMPOSITE',
    'AAAAAA==',
    '/b/k',
    'REPLACE',
    '5',
    'aws-chunked',
  ),
  fc.string({ maxLength: 20 }).map((text) => text.replace(/[^\x21-\x7e]/g, 'x')),
  fc.nat(3000).map((length) => 'l'.repeat(length)),
)
const bodies = fc.oneof(
  fc.constantFrom(
    '',
    '<Delete><Object><Key>a</Key></Object></Delete>',
    '<CompleteMultipartUpload/>',
    '5\r\nhello\r\n0\r\n\r\n',
    '<!DOCTYPE a>',
  ),
  fc.string({ maxLength: 200 }),
)

const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'),
  key: fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 20 })),
  query: fc.array(fc.tuple(names, value), { maxLength: 4 }),
  headers: fc.array(fc.tuple(headerNames, headerValue), { maxLength: 3 }),
  body: bodies,
  payload: fc.constantFrom(
    undefined,
    'UNSIGNED-PAYLOAD',
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  ),
})

test('signed requests of any shape are answered without a 500', async () => {
  const bucket = await at.bucket()
  await fc.assert(
    fc.asyncProperty(request, async ({ method, key, query, headers, body, payload }) => {
      fc.pre(key.isWellFormed() && query.every(([, text]) => text.isWellFormed()))
      const pairs = query.map(([name, text]) => `${name}=${encodeRfc3986(text)}`)
      const path = `/${bucket}/${key.split('/').map(encodeRfc3986).join('/')}?${pairs.join('&')}`
      const answer = await at.s3.send({
        method,
        path,
        body,
        headers: Object.fromEntries(headers),
        ...(payload === undefined ? {} : { payload }),
      })
      assert.notEqual(answer.status, 500, `${method} ${path} ${answer.text}`)
      if (answer.status === 403)
        assert.ok(!answer.text.includes('SignatureDoesNotMatch') || payload !== undefined, answer.text)
      // A bucket that a request of this run deleted is made again.
      if (answer.status === 204 && method === 'DELETE')
        await at.s3.send({ method: 'PUT', path: `/${bucket}` })
    }),
    { numRuns: 400 },
  )
})

const formText = fc.oneof(
  fc.constantFrom(
    '',
    'k',
    ['$', '{filename}'].join(''),
    '201',
    'https://example.org/',
    '<Tagging><TagSet/></Tagging>',
    '<Tagging>',
    'AAAAAA==',
    '../..',
    '__proto__',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.nat(2000).map((length) => 'l'.repeat(length)),
)
const formField = fc.tuple(
  fc.oneof(
    fc.constantFrom(
      'key',
      'acl',
      'tagging',
      'Content-Type',
      'success_action_redirect',
      'success_action_status',
      'x-amz-meta-a',
      'x-amz-checksum-crc32',
      'x-amz-storage-class',
      'x-amz-security-token',
      'x-amz-expected-bucket-owner',
      'policy',
      'file',
      'signature',
      '__proto__',
    ),
    fc.string({ maxLength: 12 }),
  ),
  formText,
)
/** Conditions that a signer might write, and some that nobody would. */
const formCondition = fc.oneof(
  fc.tuple(
    fc.constantFrom('eq', 'starts-with', 'like'),
    fc.constantFrom('$key', '$bucket', '$acl', 'key'),
    formText,
  ),
  fc.tuple(fc.constant('content-length-range'), fc.integer(), fc.integer()),
  fc.json().map((text) => JSON.parse(text) as unknown),
)
/** Where the bytes of a form are changed, and to what; most forms stay whole. */
const damage = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(20), fc.string({ maxLength: 20 })),
  },
)

test('forms of any shape, signed or not, whole or damaged, are answered without a 500', async () => {
  const bucket = await at.bucket()
  const form = fc.record({
    fields: fc.array(formField, { maxLength: 4 }),
    conditions: fc.oneof(fc.constant([]), fc.array(formCondition, { maxLength: 3 })),
    signed: fc.boolean(),
    file: fc.option(fc.record({ data: formText, name: fc.string({ maxLength: 20 }) }), { nil: undefined }),
    end: fc.constantFrom('--\r\n', '--', '--\r\nmore', '\r\n'),
    damage,
  })
  await fc.assert(
    fc.asyncProperty(form, async ({ fields, conditions, signed, file, end, damage: change }) => {
      const all: Record<string, string> = { key: 'k', ...Object.fromEntries(fields) }
      const covering = Object.entries(all).map(([name]) => ['starts-with', `$${name}`, ''])
      const signing = signed
        ? signedFields(at.s3.keys, at.s3.endpoint.region, {
            conditions: [['starts-with', '$bucket', ''], ...covering, ...conditions],
          })
        : {}
      let body = encodeForm({ ...all, ...signing }, file, { end })
      if (change !== undefined) {
        const [where, removed, added] = change
        const from = Math.floor(where * body.length)
        body = Buffer.concat([body.subarray(0, from), Buffer.from(added), body.subarray(from + removed)])
      }
      const answer = await post(at.s3, `/${bucket}`, body)
      assert.ok(answer.status < 500 || answer.status === 501, `${answer.status} ${answer.text}`)
      if (!signed && change === undefined) assert.ok(answer.status >= 400, `${answer.status}`)
      if (answer.status >= 300) return
      // What was stored can be read again: nothing got in that no answer could carry.
      const listed = await at.s3.send({ path: `/${bucket}?list-type=2&encoding-type=url` })
      for (const key of tags(listed.text, 'Key')) {
        const got = await at.s3.send({
          path: `/${bucket}/${key
            .split('/')
            .map((part) => encodeRfc3986(decodeURIComponent(part)))
            .join('/')}`,
        })
        assert.equal(got.status, 200, got.text)
        await at.s3.send({ method: 'DELETE', path: `/${bucket}/${key}` })
      }
    }),
    { numRuns: 400 },
  )
})

test('unsigned requests of any shape are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.webPath(), fc.string(), async (path, authorization) => {
      const text = authorization.replace(/[^\x21-\x7e]/g, 'x')
      const headers = text === '' ? {} : { authorization: text }
      const answer = await at.s3.send({ path: path === '' ? '/' : path, anonymous: true, headers })
      // Nobody's buckets are none.
      const empty = answer.status === 200 && answer.text.includes('<Buckets></Buckets>')
      assert.ok(empty || [400, 403, 404, 405].includes(answer.status), `${answer.status} ${path}`)
    }),
    { numRuns: 200 },
  )
})
