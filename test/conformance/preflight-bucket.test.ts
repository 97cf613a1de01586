import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const rules = `<CORSConfiguration>
  <CORSRule>
    <AllowedOrigin>https://*.a.de</AllowedOrigin>
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
    <AllowedHeader>x-amz-*</AllowedHeader>
    <ExposeHeader>ETag</ExposeHeader>
    <MaxAgeSeconds>60</MaxAgeSeconds>
  </CORSRule>
  <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>
</CORSConfiguration>`

const ask = (path: string, headers: Record<string, string> = {}) =>
  at.s3.send({ method: 'OPTIONS', path, headers, anonymous: true })
const page = (origin: string, method: string, headers?: string) => ({
  origin,
  'access-control-request-method': method,
  ...(headers === undefined ? {} : { 'access-control-request-headers': headers }),
})

test('PreflightBucket answers a page that a rule allows, without a signature', async () => {
  const document = await bucketDocument(at, 'cors')
  const { bucket } = document
  await putDocument(document, rules)
  const answer = await ask(`/${bucket}`, page('https://x.a.de', 'PUT', 'X-Amz-Date, x-amz-acl'))
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.text, '')
  assert.equal(answer.headers['access-control-allow-origin'], 'https://x.a.de')
  assert.equal(answer.headers['access-control-allow-methods'], 'GET, PUT')
  assert.equal(answer.headers['access-control-allow-headers'], 'x-amz-date, x-amz-acl')
  assert.equal(answer.headers['access-control-expose-headers'], 'ETag')
  assert.equal(answer.headers['access-control-max-age'], '60')
  assert.equal(answer.headers['access-control-allow-credentials'], 'true')
  assert.match(String(answer.headers.vary), /Origin/)
  const anybody = await ask(`/${bucket}`, page('https://b.de', 'HEAD'))
  assert.equal(anybody.headers['access-control-allow-origin'], '*')
  assert.equal(anybody.headers['access-control-allow-credentials'], undefined)
})

test('PreflightBucket forbids what no rule allows', async () => {
  const document = await bucketDocument(at, 'cors')
  const path = `/${document.bucket}`
  assertError(await ask(path, page('https://x.a.de', 'GET')), 403, 'AccessForbidden')
  await putDocument(document, rules)
  for (const headers of [
    page('https://a.de', 'GET'),
    page('https://x.a.de', 'DELETE'),
    page('https://x.a.de', 'GET', 'range'),
  ]) {
    const answer = await ask(path, headers)
    assertError(answer, 403, 'AccessForbidden')
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
  }
  assertError(await ask(`${path}-not`, page('https://x.a.de', 'GET')), 403, 'AccessForbidden')
  assertError(await ask(path), 400, 'BadRequest')
  assertError(await ask(path, { origin: 'https://x.a.de' }), 400, 'BadRequest')
  assertError(await ask(path, page('https://x.a.de', 'get')), 400, 'BadRequest')
})

test('PreflightBucket does not look at the query, which belongs to the request that follows', async () => {
  const document = await bucketDocument(at, 'cors')
  await putDocument(document, rules)
  for (const query of ['?uploads', '?acl&policy', '?X-Amz-Signature=0']) {
    const answer = await ask(`/${document.bucket}${query}`, page('https://x.a.de', 'GET'))
    assert.equal(answer.status, 200, query)
  }
})
