import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { presign } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const rule = (method: string) =>
  `<CORSConfiguration><CORSRule><AllowedOrigin>https://a.de</AllowedOrigin><AllowedMethod>${method}</AllowedMethod></CORSRule></CORSConfiguration>`

test('PreflightObject answers for objects that are there and for others, presigned or not', async () => {
  const document = await bucketDocument(at, 'cors')
  await putDocument(document, rule('GET'))
  const path = `/${document.bucket}/a/b.txt`
  const signed = presign({ path }, at.s3.endpoint, at.s3.keys)
  const headers = { origin: 'https://a.de', 'access-control-request-method': 'GET' }
  for (const each of [path, signed]) {
    const answer = await at.s3.send({ method: 'OPTIONS', path: each, headers, anonymous: true })
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers['access-control-allow-origin'], 'https://a.de')
  }
  const put = { ...headers, 'access-control-request-method': 'PUT' }
  assertError(
    await at.s3.send({ method: 'OPTIONS', path, headers: put, anonymous: true }),
    403,
    'AccessForbidden',
  )
  assertError(await at.s3.send({ method: 'OPTIONS', path, anonymous: true }), 400, 'BadRequest')
})

test('answers to a page that a rule allows say so, errors too', async () => {
  const document = await bucketDocument(at, 'cors')
  await putDocument(document, rule('GET'))
  const path = `/${document.bucket}/k`
  await putObject(at.s3, path, 'content')
  const headers = { origin: 'https://a.de' }
  const good = await at.s3.send({ path, headers })
  assert.equal(good.text, 'content')
  assert.equal(good.headers['access-control-allow-origin'], 'https://a.de')
  assert.equal(good.headers['access-control-allow-methods'], 'GET')
  assert.match(String(good.headers.vary), /Origin/)
  const missing = await at.s3.send({ path: `${path}-not`, headers })
  assertError(missing, 404, 'NoSuchKey')
  assert.equal(missing.headers['access-control-allow-origin'], 'https://a.de')
  const unsigned = await at.s3.send({ path, headers, late: { authorization: 'AWS4-HMAC-SHA256 nothing' } })
  assert.equal(unsigned.status, 400)
  assert.equal(unsigned.headers['access-control-allow-origin'], 'https://a.de')
})

test('answers to other pages, other methods and to no page say nothing', async () => {
  const document = await bucketDocument(at, 'cors')
  await putDocument(document, rule('GET'))
  const path = `/${document.bucket}/k`
  const foreign = await at.s3.send({ path, headers: { origin: 'https://b.de' } })
  assert.equal(foreign.headers['access-control-allow-origin'], undefined)
  assert.match(String(foreign.headers.vary), /Origin/)
  const put = await at.s3.send({ method: 'PUT', path, body: 'x', headers: { origin: 'https://a.de' } })
  assert.equal(put.status, 200)
  assert.equal(put.headers['access-control-allow-origin'], undefined)
  assert.equal((await at.s3.send({ path })).headers['access-control-allow-origin'], undefined)
})
