import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, completeDocument, createUpload, putPart, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function create(path: string, headers: Record<string, string> = {}) {
  return at.s3.send({ method: 'POST', path: `${path}?uploads=`, headers })
}

test('CreateMultipartUpload answers with an id of its own each time', async () => {
  const path = `/${await at.bucket()}/k%20%C3%BC`
  const [first, second] = [await create(path), await create(path)]
  assert.equal(first.status, 200, first.text)
  assert.equal(tag(first.text, 'Key'), 'k ü')
  assert.ok(tag(first.text, 'UploadId'))
  assert.notEqual(tag(first.text, 'UploadId'), tag(second.text, 'UploadId'))
})

test('CreateMultipartUpload announces a checksum that can be', async () => {
  const path = `/${await at.bucket()}/k`
  const announced = await create(path, { 'x-amz-checksum-algorithm': 'SHA256' })
  assert.equal(announced.headers['x-amz-checksum-algorithm'], 'SHA256')
  assert.equal(announced.headers['x-amz-checksum-type'], 'COMPOSITE')
  const impossible = { 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' }
  assertError(await create(path, impossible), 400, 'InvalidRequest')
})

test('CreateMultipartUpload hands tags and protection to the version that it becomes', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  const protection = {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + 3_600_000).toISOString(),
    'x-amz-object-lock-legal-hold': 'ON',
  }
  const uploadId = await createUpload(at.s3, path, { ...protection, 'x-amz-tagging': 'a=b' })
  const etag = await putPart(at.s3, path, { uploadId, partNumber: 1, body: 'x' })
  const done = await at.s3.send({
    method: 'POST',
    path: `${path}?uploadId=${uploadId}`,
    body: completeDocument([etag]),
  })
  const { headers } = await at.s3.send({ method: 'HEAD', path: `${path}?versionId=${versionOf(done)}` })
  for (const [name, value] of Object.entries(protection)) assert.equal(headers[name], value)
  assert.equal(headers['x-amz-tagging-count'], '1')
  const bad: Record<string, string>[] = [
    { 'x-amz-tagging': 'a=b&a=c' },
    { 'x-amz-object-lock-mode': 'GOVERNANCE' },
    { ...protection, 'x-amz-object-lock-retain-until-date': '2020-01-01T00:00:00Z' },
  ]
  for (const each of bad) assertError(await create(path, each), 400, 'InvalidArgument')
  const plain = `/${await at.bucket()}/k`
  assertError(await create(plain, protection), 400, 'InvalidRequest')
})
