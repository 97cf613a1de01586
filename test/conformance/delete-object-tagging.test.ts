import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteObjectTagging removes all tags of a version, and says so again', async () => {
  const path = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  const first = await putVersion(at.s3, path, '1', { 'x-amz-tagging': 'a=1' })
  await putVersion(at.s3, path, '2', { 'x-amz-tagging': 'b=2' })
  const remove = (query = '') => at.s3.send({ method: 'DELETE', path: `${path}?tagging${query}` })
  for (let round = 0; round < 2; round++) {
    const answer = await remove(`&versionId=${first}`)
    assert.deepEqual([answer.status, versionOf(answer)], [204, first])
  }
  const countOf = async (query: string) =>
    (await at.s3.send({ method: 'HEAD', path: `${path}${query}` })).headers['x-amz-tagging-count']
  assert.deepEqual([await countOf(`?versionId=${first}`), await countOf('')], [undefined, '1'])
  assert.equal((await remove()).status, 204)
  assert.equal(await countOf(''), undefined)
  assert.equal((await at.s3.send({ path })).text, '2')
})

test('DeleteObjectTagging of a key that is not there, and for strangers', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k?tagging`
  assertError(await at.s3.send({ method: 'DELETE', path }), 404, 'NoSuchKey')
  await putObject(at.s3, `/${bucket}/k`)
  assertError(await at.other.send({ method: 'DELETE', path }), 403, 'AccessDenied')
})
