import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { presign, tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('every answer names the request; anonymous ones are refused', async () => {
  const bucket = await at.bucket()
  for (const path of [`/${bucket}`, `/${bucket}/k`, `/${bucket}?policy`]) {
    const answer = await at.s3.send({ path, anonymous: true })
    assertError(answer, 403, 'AccessDenied')
    assert.match(String(answer.headers['x-amz-request-id']), /^[0-9A-Z]{16}$/)
    assert.ok(answer.headers.date)
    assert.ok(answer.headers.server)
  }
  // Names of buckets are one name space: whether one exists is no secret, as with AWS.
  assertError(await at.s3.send({ path: '/no-such-bucket/k', anonymous: true }), 404, 'NoSuchBucket')
})

test('an unknown key, a wrong secret and a changed request are told apart', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const unknown = { ...at.s3.keys, accessKeyId: 'AKIAUNKNOWN000000000' }
  assertError(await at.s3.send({ path, keys: unknown }), 403, 'InvalidAccessKeyId')
  const wrong = { ...at.s3.keys, secretAccessKey: 'x'.repeat(40) }
  const refused = await at.s3.send({ path, keys: wrong })
  assertError(refused, 403, 'SignatureDoesNotMatch')
  assert.ok(tag(refused.text, 'StringToSign')?.startsWith('AWS4-HMAC-SHA256'))
  assert.ok(!refused.text.includes(at.s3.keys.secretAccessKey))
  const moved = await at.s3.send({ path, late: { host: 'elsewhere.example' } })
  assertError(moved, 403, 'SignatureDoesNotMatch')
})

test('another region is refused with the right one, so that clients can correct themselves', async () => {
  const bucket = await at.bucket()
  const answer = await at.s3.send({ path: `/${bucket}/k`, region: 'us-east-1' })
  assertError(answer, 400, 'AuthorizationHeaderMalformed')
  assert.equal(tag(answer.text, 'Region'), at.s3.endpoint.region)
})

test('a clock that is off by more than 15 minutes is refused', async () => {
  const bucket = await at.bucket()
  for (const minutes of [-16, 16]) {
    const answer = await at.s3.send({ path: `/${bucket}`, dateMs: Date.now() + minutes * 60_000 })
    assertError(answer, 403, 'RequestTimeTooSkewed')
  }
})

test('an x-amz header that is not signed is refused', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/secret`)
  const late = { 'x-amz-copy-source': `/${bucket}/secret` }
  const answer = await at.s3.send({ method: 'PUT', path: `/${bucket}/k`, late })
  assertError(answer, 403, 'AccessDenied')
  assert.equal(tag(answer.text, 'HeadersNotSigned'), 'x-amz-copy-source')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })).status, 404)
})

test('other schemes and malformed headers get their own errors', async () => {
  const send = (authorization: string) => at.s3.send({ path: '/', late: { authorization } })
  assertError(await send('AWS AKIA:sig'), 400, 'InvalidRequest')
  assertError(await send('Bearer x'), 400, 'InvalidArgument')
  assertError(await send('AWS4-HMAC-SHA256 nonsense'), 400, 'AuthorizationHeaderMalformed')
  const token = { 'x-amz-security-token': 'x' }
  assertError(await at.s3.send({ path: '/', headers: token }), 400, 'InvalidToken')
  assertError(await at.s3.send({ path: '/', payload: 'nonsense' }), 400, 'InvalidArgument')
})

test('a presigned PUT takes a body, but no copy source that its signer did not sign', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/secret`, 'secret')
  const url = presign({ method: 'PUT', path: `/${bucket}/k` }, at.s3.endpoint, at.s3.keys)
  const hole = { ...at.s3.hostHeader, 'x-amz-copy-source': `/${bucket}/secret` }
  assertError(await at.s3.exchange({ method: 'PUT', path: url }, hole), 403, 'AccessDenied')
  const hoisted = `${url}&x-amz-copy-source=%2F${bucket}%2Fsecret`
  assertError(
    await at.s3.exchange({ method: 'PUT', path: hoisted }, at.s3.hostHeader),
    403,
    'SignatureDoesNotMatch',
  )
  const put = await at.s3.exchange({ method: 'PUT', path: url, body: 'mine' }, at.s3.hostHeader)
  assert.equal(put.status, 200, put.text)
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).text, 'mine')
})

test('a presigned GET works for anybody until it expires', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/a%20b`
  await putObject(at.s3, path, 'x')
  const get = (url: string) => at.s3.exchange({ path: url }, at.s3.hostHeader)
  const query = { 'response-content-type': 'text/x' }
  const good = await get(presign({ path, query }, at.s3.endpoint, at.s3.keys))
  assert.deepEqual([good.status, good.text, good.headers['content-type']], [200, 'x', 'text/x'])
  const expired = { path, expires: 60, dateMs: Date.now() - 120_000 }
  assertError(await get(presign(expired, at.s3.endpoint, at.s3.keys)), 403, 'AccessDenied')
  const long = { path, expires: 604_801 }
  assertError(await get(presign(long, at.s3.endpoint, at.s3.keys)), 403, 'AccessDenied')
  const elsewhere = { path, region: 'us-east-1' }
  assertError(
    await get(presign(elsewhere, at.s3.endpoint, at.s3.keys)),
    400,
    'AuthorizationQueryParametersError',
  )
})

test('a presigned URL carries what its signer hoisted into it', async () => {
  const bucket = await at.bucket()
  const query = { 'x-amz-meta-land': 'BY', 'x-amz-acl': 'bucket-owner-full-control' }
  const url = presign({ method: 'PUT', path: `/${bucket}/k`, query }, at.s3.endpoint, at.s3.keys)
  assert.equal((await at.s3.exchange({ method: 'PUT', path: url, body: 'x' }, at.s3.hostHeader)).status, 200)
  const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })
  assert.equal(head.headers['x-amz-meta-land'], 'BY')
  const open = { method: 'PUT', path: `/${bucket}/k`, query: { 'x-amz-acl': 'public-read' } }
  const refused = await at.s3.exchange(
    { method: 'PUT', path: presign(open, at.s3.endpoint, at.s3.keys), body: 'x' },
    at.s3.hostHeader,
  )
  assertError(refused, 400, 'AccessControlListNotSupported')
})
