import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObjectRetention says how long a version stays', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  assertError(await at.s3.send({ path: `${path}?retention` }), 404, 'NoSuchKey')
  const first = await putVersion(at.s3, path)
  assertError(await at.s3.send({ path: `${path}?retention` }), 404, 'NoSuchObjectLockConfiguration')
  const until = new Date(Math.floor(Date.now() / 1000 + 3600) * 1000).toISOString()
  await putVersion(at.s3, path, 'x', {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': until,
    'content-md5': contentMd5('x'),
  })
  const { text } = await at.s3.send({ path: `${path}?retention` })
  assert.deepEqual([tag(text, 'Mode'), tag(text, 'RetainUntilDate')], ['GOVERNANCE', until])
  assertError(
    await at.s3.send({ path: `${path}?retention&versionId=${first}` }),
    404,
    'NoSuchObjectLockConfiguration',
  )
  assertError(await at.other.send({ path: `${path}?retention` }), 403, 'AccessDenied')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await at.s3.send({ path: `${path}?retention&versionId=${marker}` }), 405, 'MethodNotAllowed')
})

test('GetObjectRetention needs a bucket with Object Lock', async () => {
  const path = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  await putObject(at.s3, path)
  assertError(await at.s3.send({ path: `${path}?retention` }), 400, 'InvalidRequest')
})
