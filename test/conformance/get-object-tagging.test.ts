import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObjectTagging answers with the tags of a version, none being an empty set', async () => {
  const path = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  const first = await putVersion(at.s3, path, '1', { 'x-amz-tagging': 'b=&a=1' })
  const second = await putVersion(at.s3, path, '2')
  const ask = (query = '') => at.s3.send({ path: `${path}?tagging${query}` })
  const newest = await ask()
  assert.match(newest.text, /<TagSet><\/TagSet>/)
  assert.equal(versionOf(newest), second)
  const older = await ask(`&versionId=${first}`)
  assert.deepEqual(
    [tags(older.text, 'Key'), tags(older.text, 'Value')],
    [
      ['a', 'b'],
      ['1', ''],
    ],
  )
  assert.equal(versionOf(older), first)
  assertError(await ask(`&versionId=${'0'.repeat(32)}`), 404, 'NoSuchVersion')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await ask(`&versionId=${marker}`), 405, 'MethodNotAllowed')
  assertError(await ask(), 405, 'MethodNotAllowed')
})

test('GetObjectTagging of a key that is not there, and for strangers', async () => {
  const bucket = await at.bucket()
  assertError(await at.s3.send({ path: `/${bucket}/k?tagging` }), 404, 'NoSuchKey')
  await putObject(at.s3, `/${bucket}/k`)
  assertError(await at.other.send({ path: `/${bucket}/k?tagging` }), 403, 'AccessDenied')
})
