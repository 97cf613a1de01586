import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function hold(path: string, status: string) {
  const body = `<LegalHold><Status>${status}</Status></LegalHold>`
  const [key, query] = path.split('?')
  return at.s3.send({
    method: 'PUT',
    path: `${key}?legal-hold${query === undefined ? '' : `&${query}`}`,
    body,
    headers: { 'content-md5': contentMd5(body) },
  })
}

test('PutObjectLegalHold keeps a version until it is lifted, whoever asks', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  const first = await putVersion(at.s3, path, '1')
  const second = await putVersion(at.s3, path, '2')
  const answer = await hold(path, 'ON')
  assert.deepEqual([answer.status, answer.text], [200, ''])
  const headers = { 'x-amz-bypass-governance-retention': 'true' }
  const remove = (versionId: string) =>
    at.s3.send({ method: 'DELETE', path: `${path}?versionId=${versionId}`, headers })
  assertError(await remove(second), 403, 'AccessDenied')
  assert.equal((await hold(`${path}?versionId=${first}`, 'ON')).status, 200)
  assertError(await remove(first), 403, 'AccessDenied')
  for (const versionId of [first, second]) {
    assert.equal((await hold(`${path}?versionId=${versionId}`, 'OFF')).status, 200)
    assert.equal((await remove(versionId)).status, 204)
  }
})

test('PutObjectLegalHold refuses what is no hold, and buckets and keys that can have none', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  assertError(await hold(path, 'ON'), 404, 'NoSuchKey')
  await putVersion(at.s3, path)
  for (const status of ['on', '', 'YES']) assertError(await hold(path, status), 400, 'MalformedXML')
  assertError(await hold(`${path}?versionId=${'0'.repeat(32)}`, 'ON'), 404, 'NoSuchVersion')
  const body = '<LegalHold><Status>ON</Status></LegalHold>'
  assertError(await at.other.send({ method: 'PUT', path: `${path}?legal-hold`, body }), 403, 'AccessDenied')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await hold(`${path}?versionId=${marker}`, 'ON'), 405, 'MethodNotAllowed')
  const plain = `/${await at.bucket()}/k`
  await putObject(at.s3, plain)
  assertError(await hold(plain, 'ON'), 400, 'InvalidRequest')
})
