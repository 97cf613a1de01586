import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, createUpload, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteBucket removes an empty bucket only', async () => {
  const name = await at.bucket()
  await putObject(at.s3, `/${name}/k`)
  assertError(await at.s3.send({ method: 'DELETE', path: `/${name}` }), 409, 'BucketNotEmpty')
  await at.s3.send({ method: 'DELETE', path: `/${name}/k` })
  const uploadId = await createUpload(at.s3, `/${name}/k`)
  assertError(await at.s3.send({ method: 'DELETE', path: `/${name}` }), 409, 'BucketNotEmpty')
  await at.s3.send({ method: 'DELETE', path: `/${name}/k?uploadId=${uploadId}` })
  assertError(await at.other.send({ method: 'DELETE', path: `/${name}` }), 403, 'AccessDenied')
  const gone = await at.s3.send({ method: 'DELETE', path: `/${name}` })
  assert.deepEqual([gone.status, gone.bytes.length], [204, 0])
  assertError(await at.s3.send({ method: 'DELETE', path: `/${name}` }), 404, 'NoSuchBucket')
})
