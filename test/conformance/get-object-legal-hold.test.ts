import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, putObject, putVersion } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObjectLegalHold says ON, OFF, or that none was ever set', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  const ask = () => at.s3.send({ path: `${path}?legal-hold` })
  assertError(await ask(), 404, 'NoSuchKey')
  await putVersion(at.s3, path)
  assertError(await ask(), 404, 'NoSuchObjectLockConfiguration')
  assert.equal((await at.s3.send({ path })).headers['x-amz-object-lock-legal-hold'], undefined)
  for (const status of ['ON', 'OFF', 'ON', 'OFF']) {
    const body = `<LegalHold><Status>${status}</Status></LegalHold>`
    const headers = { 'content-md5': contentMd5(body) }
    assert.equal((await at.s3.send({ method: 'PUT', path: `${path}?legal-hold`, body, headers })).status, 200)
    assert.equal(tag((await ask()).text, 'Status'), status)
    assert.equal((await at.s3.send({ path })).headers['x-amz-object-lock-legal-hold'], status)
  }
  assertError(await at.other.send({ path: `${path}?legal-hold` }), 403, 'AccessDenied')
})

test('GetObjectLegalHold needs a bucket with Object Lock', async () => {
  const path = `/${await at.bucket()}/k`
  await putObject(at.s3, path)
  assertError(await at.s3.send({ path: `${path}?legal-hold` }), 400, 'InvalidRequest')
})
