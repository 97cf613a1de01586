import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
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
  assertError(await create(path, { 'x-amz-tagging': 'a=b' }), 501, 'NotImplemented')
})
