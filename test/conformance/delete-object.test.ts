import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, md5Hex, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteObject succeeds whether there was an object or not', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`)
  for (let round = 0; round < 2; round++) {
    const answer = await at.s3.send({ method: 'DELETE', path: `/${bucket}/k` })
    assert.deepEqual([answer.status, answer.bytes.length], [204, 0])
  }
  assertError(await at.s3.send({ path: `/${bucket}/k` }), 404, 'NoSuchKey')
})

test('DeleteObject deletes on a condition only what matches it', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'x')
  const remove = (headers: Record<string, string>) => at.s3.send({ method: 'DELETE', path, headers })
  assertError(await remove({ 'if-match': '"abc"' }), 412, 'PreconditionFailed')
  assertError(await remove({ 'x-amz-if-match-size': '1' }), 501, 'NotImplemented')
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 200)
  assert.equal((await remove({ 'if-match': `"${md5Hex('x')}"` })).status, 204)
})

test('DeleteObject is for the owner, and knows no versions but null', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`)
  assertError(await at.other.send({ method: 'DELETE', path: `/${bucket}/k` }), 403, 'AccessDenied')
  const version = await at.s3.send({ method: 'DELETE', path: `/${bucket}/k?versionId=abc` })
  assertError(version, 400, 'InvalidArgument')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })).status, 200)
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${bucket}/k?versionId=null` })).status, 204)
})
