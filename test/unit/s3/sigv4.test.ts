import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  checkAllSigned,
  checkScope,
  deriveSigningKey,
  parseAuthorization,
  parseCredential,
  requestTime,
  SigningKeys,
  scopeText,
  sign,
  stringToSign,
  uriEncode,
} from '../../../gateway/auth/sigv4.ts'
import { gatewayLimits } from '../../../gateway/limits.ts'
import { parseQuery } from '../../../gateway/s3/address.ts'
import { S3Error } from '../../../gateway/s3/errors.ts'
import { codeOf } from './s3-error-of.ts'
import { awsExamples, exampleScope } from './sigv4-golden.ts'

const key = deriveSigningKey(awsExamples.secretAccessKey, exampleScope)

function signatureOf(request: {
  method: string
  path: string
  query: string
  headers: Readonly<Record<string, string>>
}): string {
  const canonical = canonicalRequest({
    method: request.method,
    rawPath: request.path,
    query: parseQuery(request.query),
    headers: request.headers,
    signedHeaders: Object.keys(request.headers).sort(),
    payloadHash: request.headers['x-amz-content-sha256'] ?? '',
  })
  return sign(key, stringToSign(awsExamples.amzDate, scopeText(exampleScope), canonical))
}

for (const example of awsExamples.headerExamples) {
  test(`AWS's example "${example.name}" has the published signature`, () => {
    assert.equal(signatureOf(example), example.signature)
  })
}

test("the seed signatures of AWS's chunked examples are the published ones", () => {
  for (const example of [awsExamples.chunkedExample, awsExamples.trailerExample]) {
    assert.equal(signatureOf({ method: 'PUT', query: '', ...example }), example.seedSignature)
  }
})

test('a header value has its runs of spaces collapsed and its ends trimmed before it is signed', () => {
  const canonical = canonicalRequest({
    method: 'GET',
    rawPath: '/',
    query: [],
    headers: { host: 'h', 'x-amz-meta-a': '  b   c ' },
    signedHeaders: ['host', 'x-amz-meta-a'],
    payloadHash: 'UNSIGNED-PAYLOAD',
  })
  assert.equal(canonical, 'GET\n/\n\nhost:h\nx-amz-meta-a:b c\n\nhost;x-amz-meta-a\nUNSIGNED-PAYLOAD')
})

test('a path is encoded once, whether it came encoded or not, and never normalised', () => {
  assert.equal(canonicalPath('/a%20b/%C3%BC'), '/a%20b/%C3%BC')
  assert.equal(canonicalPath('/a+b(1)'), '/a%2Bb%281%29')
  assert.equal(canonicalPath('/a//b/../c/'), '/a//b/../c/')
  assert.equal(canonicalPath('/a%2Fb'), '/a%2Fb')
  assert.equal(canonicalPath('/%7e'), '/~')
})

test('query parameters are sorted by encoded name and value, and the signature can be left out', () => {
  assert.equal(canonicalQuery(parseQuery('b=2&a=%20&a=&B')), 'B=&a=&a=%20&b=2')
  assert.equal(canonicalQuery(parseQuery('a=1&X-Amz-Signature=f'), 'X-Amz-Signature'), 'a=1')
  assert.equal(canonicalQuery(parseQuery('a=x+y')), 'a=x%20y')
})

test('encoding a text and decoding it gives the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const encoded = uriEncode(text)
      assert.match(encoded, /^[A-Za-z0-9\-._~%]*$/)
      assert.equal(decodeURIComponent(encoded), text)
    }),
  )
})

test('an Authorization header is read with or without spaces between its fields', () => {
  const fields = [
    'Credential=AK/20130524/eu-central-1/s3/aws4_request',
    'SignedHeaders=host;x-amz-date',
    'Signature=ab',
  ]
  for (const separator of [',', ', ']) {
    const parsed = parseAuthorization(`AWS4-HMAC-SHA256 ${fields.join(separator)}`)
    assert.deepEqual(parsed.signedHeaders, ['host', 'x-amz-date'])
    assert.equal(parsed.scope.accessKeyId, 'AK')
    assert.equal(parsed.signature, 'ab')
  }
})

test('an access key id may contain slashes', () => {
  assert.equal(parseCredential('a/b/20130524/r/s3/aws4_request')?.accessKeyId, 'a/b')
  assert.equal(parseCredential('a/2013/r/s3/aws4_request'), undefined)
  assert.equal(parseCredential('aws4_request'), undefined)
})

test('malformed and foreign Authorization headers are told apart', () => {
  assert.equal(
    codeOf(() => parseAuthorization('AWS AK:signature')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => parseAuthorization('AWS4-ECDSA-P256-SHA256 Credential=x')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => parseAuthorization('Basic eDp5')),
    'InvalidArgument',
  )
  assert.equal(
    codeOf(() => parseAuthorization('AWS4-HMAC-SHA256 Credential=x')),
    'AuthorizationHeaderMalformed',
  )
  assert.equal(
    codeOf(() => parseAuthorization('AWS4-HMAC-SHA256 Credential=x,SignedHeaders=host,Signature=0')),
    'AuthorizationHeaderMalformed',
  )
})

test('whatever an Authorization header holds, the answer is a parse or an S3 error of the 400s', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `AWS4-HMAC-SHA256 ${text}`),
      ),
      (header) => {
        try {
          parseAuthorization(header)
        } catch (error) {
          assert.ok(error instanceof S3Error)
          assert.equal(error.status, 400)
        }
      },
    ),
  )
})

test('another region is refused by naming the right one', () => {
  const scope = { accessKeyId: 'AK', date: '20130524', region: 'us-east-1', service: 's3' }
  assert.throws(
    () => checkScope(scope, { region: 'eu-central-1', date: '20130524' }),
    (error: S3Error) =>
      error.code === 'AuthorizationHeaderMalformed' && error.details.Region === 'eu-central-1',
  )
  assert.equal(
    codeOf(() => checkScope({ ...scope, service: 'ec2' }, { region: 'us-east-1', date: '20130524' })),
    'AuthorizationHeaderMalformed',
  )
  assert.equal(
    codeOf(() => checkScope(scope, { region: 'us-east-1', date: '20130525' })),
    'AuthorizationHeaderMalformed',
  )
})

test('a request is refused when its time is more than 15 minutes from ours, in either direction', () => {
  const nowMs = Date.UTC(2013, 4, 24)
  const at = (text: string) => () => requestTime({ 'x-amz-date': text }, nowMs, gatewayLimits)
  assert.equal(codeOf(at('20130524T001500Z')), 'no error')
  assert.equal(codeOf(at('20130524T001501Z')), 'RequestTimeTooSkewed')
  assert.equal(codeOf(at('20130523T234459Z')), 'RequestTimeTooSkewed')
  assert.equal(codeOf(at('20130231T000000Z')), 'AccessDenied')
  assert.equal(codeOf(at('yesterday')), 'AccessDenied')
  assert.equal(
    requestTime({ date: 'Fri, 24 May 2013 00:00:00 GMT' }, nowMs, gatewayLimits),
    '20130524T000000Z',
  )
})

test('every x-amz header and the host must be signed', () => {
  const headers = { host: 'h', 'x-amz-date': 'd', 'x-amz-copy-source': '/b/k', 'content-type': 't' }
  assert.throws(
    () => checkAllSigned(headers, ['host', 'x-amz-date']),
    (error: S3Error) =>
      error.code === 'AccessDenied' && error.details.HeadersNotSigned === 'x-amz-copy-source',
  )
  assert.equal(
    codeOf(() => checkAllSigned(headers, ['x-amz-date', 'x-amz-copy-source'])),
    'AccessDenied',
  )
  assert.equal(
    codeOf(() => checkAllSigned(headers, ['host', 'x-amz-date', 'x-amz-copy-source'])),
    'no error',
  )
})

test('derived keys are kept, bounded, and made anew when the secret changes', () => {
  const keys = new SigningKeys(2)
  const first = keys.get('one', exampleScope)
  assert.equal(keys.get('one', exampleScope), first)
  assert.notDeepEqual(keys.get('two', exampleScope), first)
  keys.get('x', { ...exampleScope, date: '20130525' })
  keys.get('x', { ...exampleScope, date: '20130526' })
  assert.notEqual(keys.get('one', exampleScope), first)
  assert.deepEqual(keys.get('one', exampleScope), first)
})
