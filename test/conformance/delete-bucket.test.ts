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
  assertError(await at.other.send({ method: 'DELETE', path: `/${name}` }), 403, 'AccessDenied')
  const gone = await at.s3.send({ method: 'DELETE', path: `/${name}` })
  assert.deepEqual([gone.status, gone.bytes.length], [204, 0])
  assertError(await at.s3.send({ method: 'DELETE', path: `/${name}` }), 404, 'NoSuchBucket')
})

test('uploads under way end with their bucket, but outlive a deletion that an object refuses', async () => {
  const name = await at.bucket()
  await putObject(at.s3, `/${name}/kept`)
  const uploads: string[] = []
  // Enough keys for every catalog group.
  for (let i = 0; i < 12; i++) uploads.push(await createUpload(at.s3, `/${name}/k${i}`))
  const part = await at.s3.send({
    method: 'PUT',
    path: `/${name}/k0?partNumber=1&uploadId=${uploads[0]}`,
    body: 'part',
  })
  assert.equal(part.status, 200)
  assertError(await at.s3.send({ method: 'DELETE', path: `/${name}` }), 409, 'BucketNotEmpty')
  const listed = await at.s3.send({ path: `/${name}?uploads` })
  assert.equal(listed.text.match(/<UploadId>/g)?.length, 12)
  await at.s3.send({ method: 'DELETE', path: `/${name}/kept` })
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${name}` })).status, 204)
  assertError(await at.s3.send({ path: `/${name}?uploads` }), 404, 'NoSuchBucket')
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${name}` })).status, 200)
  assert.equal((await at.s3.send({ path: `/${name}?uploads` })).text.includes('<UploadId>'), false)
  const late = `/${name}/k0?partNumber=2&uploadId=${uploads[0]}`
  assertError(await at.s3.send({ method: 'PUT', path: late, body: 'x' }), 404, 'NoSuchUpload')
})
