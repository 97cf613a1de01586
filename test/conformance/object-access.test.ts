/** What an answer about an object, or a copy of it, tells those who may read it and not all that it carries. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { accountIdOf, openBucket, putPolicy } from './access-control.ts'
import { assertError, contentMd5, putObject, putVersion } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const lockNames = [
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-object-lock-legal-hold',
]

test('a reader sees tags, retention and legal hold only as far as he may ask for them', async () => {
  const bucket = await at.bucket({ objectLock: true })
  const path = `/${bucket}/k`
  const versionId = await putVersion(at.s3, path, 'x', {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + 3_600_000).toISOString(),
    'x-amz-object-lock-legal-hold': 'ON',
    'x-amz-tagging': 'a=1',
    'content-md5': contentMd5('x'),
  })
  const friend = { AWS: `arn:aws:iam::${await accountIdOf(at.other)}:root` }
  const seen = async (query = '') => {
    const { status, headers } = await at.other.send({ method: 'HEAD', path: `${path}${query}` })
    assert.equal(status, 200)
    return [...lockNames, 'x-amz-tagging-count'].map((name) => headers[name] !== undefined)
  }
  const allow = (...actions: string[]) => putPolicy(at.s3, bucket, { Principal: friend, Action: actions })
  await allow('s3:GetObject', 's3:GetObjectVersion')
  assert.deepEqual(await seen(), [false, false, false, false])
  await allow('s3:GetObject', 's3:GetObjectVersion', 's3:GetObjectRetention', 's3:GetObjectTagging')
  assert.deepEqual(await seen(), [true, true, false, true])
  assert.deepEqual(await seen(`?versionId=${versionId}`), [true, true, false, false])
  await allow('s3:GetObject', 's3:GetObjectLegalHold')
  assert.deepEqual(await seen(), [false, false, true, false])
})

test('a copy takes tags along only for those who may read them', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/tagged`, 'x', { 'x-amz-tagging': 'a=1' })
  await putObject(at.s3, `/${bucket}/plain`, 'x')
  const theirs = `${bucket}-theirs`
  assert.equal((await at.other.send({ method: 'PUT', path: `/${theirs}` })).status, 200)
  const friend = { AWS: `arn:aws:iam::${await accountIdOf(at.other)}:root` }
  const copy = (key: string, headers: Record<string, string> = {}) =>
    at.other.send({
      method: 'PUT',
      path: `/${theirs}/${key}`,
      headers: { 'x-amz-copy-source': `${bucket}/${key}`, ...headers },
    })
  await putPolicy(at.s3, bucket, { Principal: friend, Action: 's3:GetObject' })
  assert.equal((await copy('plain')).status, 200)
  assertError(await copy('tagged'), 403, 'AccessDenied')
  assert.equal((await copy('tagged', { 'x-amz-tagging-directive': 'REPLACE' })).status, 200)
  const both = ['s3:GetObject', 's3:GetObjectTagging']
  await putPolicy(at.s3, bucket, { Principal: friend, Action: both })
  assert.equal((await copy('tagged')).status, 200)
})

test('anonymous readers choose no headers of the answer', async () => {
  const bucket = await openBucket(at)
  await putObject(at.s3, `/${bucket}/k`, 'x')
  await putPolicy(at.s3, bucket, { Action: 's3:GetObject' })
  const read = (query: string) => at.s3.send({ path: `/${bucket}/k${query}`, anonymous: true })
  assert.equal((await read('')).text, 'x')
  assertError(await read('?response-content-type=text/html'), 400, 'InvalidRequest')
})
