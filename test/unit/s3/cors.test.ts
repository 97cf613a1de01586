import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  corsHeaders,
  crossOriginOf,
  decodeCors,
  decodePreflight,
  encodeCors,
  preflight,
} from '../../../gateway/s3/cors.ts'
import { parseXml } from '../../../gateway/s3/xml.ts'
import type { CorsRule } from '../../../node/core/bucket-configuration.ts'
import { codeOf } from './s3-error-of.ts'

const parse = (rules: string) =>
  decodeCors(parseXml(Buffer.from(`<CORSConfiguration>${rules}</CORSConfiguration>`), 'CORSConfiguration'))

const word = fc.constantFrom('http://a.de', 'https://*.b.de', '*', 'c*')
const rule: fc.Arbitrary<CorsRule> = fc.record(
  {
    id: fc.constantFrom('one', 'two & three'),
    allowedOrigins: fc.array(word, { minLength: 1, maxLength: 3 }),
    allowedMethods: fc.uniqueArray(fc.constantFrom('GET', 'PUT', 'HEAD'), { minLength: 1 }),
    allowedHeaders: fc.array(fc.constantFrom('*', 'x-amz-*', 'Range'), { maxLength: 2 }),
    exposeHeaders: fc.array(fc.constantFrom('ETag', 'x-amz-meta-a'), { maxLength: 2 }),
    maxAgeSeconds: fc.nat(),
  },
  {
    requiredKeys: ['allowedOrigins', 'allowedMethods', 'allowedHeaders', 'exposeHeaders'],
    noNullPrototype: true,
  },
)

test('a CORS document is read back as it was written', () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), (rules) => {
      const body = Buffer.from(encodeCors(rules))
      assert.deepEqual(decodeCors(parseXml(body, 'CORSConfiguration')), rules)
    }),
  )
})

test('what is no CORS document is refused as AWS refuses it', () => {
  const one = (inside: string) => codeOf(() => parse(`<CORSRule>${inside}</CORSRule>`))
  const origin = '<AllowedOrigin>*</AllowedOrigin>'
  const method = '<AllowedMethod>GET</AllowedMethod>'
  assert.equal(
    codeOf(() => parse('')),
    'MalformedXML',
  )
  assert.equal(one(origin), 'MalformedXML')
  assert.equal(one(method), 'MalformedXML')
  assert.equal(one(origin + method), 'no error')
  assert.equal(one(`${origin}${method}<Other/>`), 'MalformedXML')
  assert.equal(one(`${origin}${method}<MaxAgeSeconds>soon</MaxAgeSeconds>`), 'MalformedXML')
  assert.equal(one(`${origin}<AllowedMethod>PATCH</AllowedMethod>`), 'InvalidRequest')
  assert.equal(one(`${origin}<AllowedMethod>get</AllowedMethod>`), 'InvalidRequest')
  assert.equal(one(`<AllowedOrigin>*.a.*</AllowedOrigin>${method}`), 'InvalidRequest')
  assert.equal(one(`${origin}${method}<AllowedHeader>*-*</AllowedHeader>`), 'InvalidRequest')
  assert.equal(one(`${origin}${method}<ExposeHeader>x-*</ExposeHeader>`), 'InvalidRequest')
  assert.equal(one(`${origin}${method}<ExposeHeader>a&#xD;&#xA;b: c</ExposeHeader>`), 'InvalidRequest')
  assert.equal(one(`${origin}${method}<ID>${'i'.repeat(256)}</ID>`), 'InvalidRequest')
  const rules = (count: number) => `<CORSRule>${origin}${method}</CORSRule>`.repeat(count)
  assert.equal(
    codeOf(() => parse(rules(100))),
    'no error',
  )
  assert.equal(
    codeOf(() => parse(rules(101))),
    'InvalidRequest',
  )
})

const rulesOf = (allowedOrigins: string[], more: Partial<CorsRule> = {}): CorsRule[] => [
  { allowedOrigins, allowedMethods: ['GET'], allowedHeaders: [], exposeHeaders: [], ...more },
]
const allowed = (rules: readonly CorsRule[], origin: string, method = 'GET', headers: string[] = []) =>
  corsHeaders(rules, { origin, method, headers })?.['access-control-allow-origin']

test('an origin matches exactly or around one wild card', () => {
  assert.equal(allowed(rulesOf(['https://a.de']), 'https://a.de'), 'https://a.de')
  assert.equal(allowed(rulesOf(['https://a.de']), 'https://a.de:81'), undefined)
  assert.equal(allowed(rulesOf(['*suffix']), 'foo.suffix'), 'foo.suffix')
  assert.equal(allowed(rulesOf(['*suffix']), 'foo.suffix.get'), undefined)
  assert.equal(allowed(rulesOf(['start*end']), 'startend'), 'startend')
  assert.equal(allowed(rulesOf(['start*end']), 'start12end'), 'start12end')
  assert.equal(allowed(rulesOf(['start*end']), '0start12end'), undefined)
  // Head and tail must not overlap in the text.
  assert.equal(allowed(rulesOf(['ab*ba']), 'aba'), undefined)
  assert.equal(allowed(rulesOf(['*']), 'https://a.de'), '*')
})

test('methods and every requested header must be allowed by the same rule', () => {
  const rules: CorsRule[] = [
    ...rulesOf(['*'], { allowedHeaders: ['X-Amz-*'] }),
    ...rulesOf(['https://a.de'], { allowedMethods: ['PUT'], allowedHeaders: ['range'] }),
  ]
  assert.equal(allowed(rules, 'https://a.de', 'PUT', ['range']), 'https://a.de')
  assert.equal(allowed(rules, 'https://a.de', 'PUT', ['range', 'x-amz-date']), undefined)
  assert.equal(allowed(rules, 'https://a.de', 'GET', ['x-amz-date']), '*')
  assert.equal(allowed(rules, 'https://a.de', 'GET', ['range']), undefined)
  assert.equal(allowed(rules, 'https://a.de', 'DELETE'), undefined)
  assert.equal(allowed(rulesOf(['*']), 'https://a.de', 'GET', ['range']), undefined)
})

test('an answer names the rule: methods, headers, age, and what caches must tell apart', () => {
  const rules = rulesOf(['https://*'], {
    allowedMethods: ['GET', 'HEAD'],
    allowedHeaders: ['*'],
    exposeHeaders: ['ETag', 'x-amz-meta-a'],
    maxAgeSeconds: 3000,
  })
  assert.deepEqual(corsHeaders(rules, { origin: 'https://a.de', method: 'GET', headers: ['a', 'b'] }), {
    'access-control-allow-origin': 'https://a.de',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'a, b',
    'access-control-expose-headers': 'ETag, x-amz-meta-a',
    'access-control-max-age': '3000',
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  })
  const any = corsHeaders(rulesOf(['*']), { origin: 'https://a.de', method: 'GET', headers: [] })
  assert.equal(any?.['access-control-allow-credentials'], undefined)
})

test('a request is judged by the method that it announces', () => {
  const headers = {
    origin: 'o',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'A, b,',
  }
  assert.deepEqual(crossOriginOf('PUT', headers), { origin: 'o', method: 'GET', headers: ['a', 'b'] })
  assert.deepEqual(crossOriginOf('PUT', { origin: 'o' }), { origin: 'o', method: 'PUT', headers: [] })
  assert.equal(crossOriginOf('PUT', {}), undefined)
})

test('a preflight without origin or method is no preflight; one that no rule allows is forbidden', () => {
  assert.equal(
    codeOf(() => decodePreflight({})),
    'BadRequest',
  )
  assert.equal(
    codeOf(() => decodePreflight({ origin: 'o' })),
    'BadRequest',
  )
  assert.equal(
    codeOf(() => decodePreflight({ origin: 'o', 'access-control-request-method': 'PATCH' })),
    'BadRequest',
  )
  const asked = decodePreflight({ origin: 'o', 'access-control-request-method': 'GET' })
  assert.equal(
    codeOf(() => preflight(undefined, asked, 'BUCKET')),
    'AccessForbidden',
  )
  assert.equal(
    codeOf(() => preflight(rulesOf(['p']), asked, 'OBJECT')),
    'AccessForbidden',
  )
  assert.equal(preflight(rulesOf(['o']), asked, 'OBJECT')['access-control-allow-origin'], 'o')
})
