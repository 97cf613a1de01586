import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, createUpload, md5Hex } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('UploadPart answers with the ETag and a checksum, and replaces a part of the same number', async () => {
  const path = `/${await at.bucket()}/k`
  const uploadId = await createUpload(at.s3, path)
  const put = (body: string, headers: Record<string, string> = {}, query = 'partNumber=1') =>
    at.s3.send({ method: 'PUT', path: `${path}?${query}&uploadId=${uploadId}`, body, headers })
  const first = await put('123456789')
  assert.equal(first.status, 200, first.text)
  assert.equal(first.headers.etag, `"${md5Hex('123456789')}"`)
  assert.equal(first.headers['x-amz-checksum-crc64nvme'], 'rosUhgp5mIg=')
  assert.equal(
    (await put('123456789', { 'x-amz-checksum-crc32': 'y/Q5Jg==' })).headers['x-amz-checksum-crc32'],
    'y/Q5Jg==',
  )
  assertError(await put('x', { 'content-md5': contentMd5('y') }), 400, 'BadDigest')
  assertError(await put('x', {}, 'partNumber=0'), 400, 'InvalidArgument')
  assertError(await put('x', {}, 'partNumber=10001'), 400, 'InvalidArgument')
})

test('UploadPart needs an upload, its key and its algorithm', async () => {
  const path = `/${await at.bucket()}/k`
  const uploadId = await createUpload(at.s3, path, { 'x-amz-checksum-algorithm': 'SHA256' })
  const put = (to: string, id: string, headers: Record<string, string> = {}) =>
    at.s3.send({ method: 'PUT', path: `${to}?partNumber=1&uploadId=${id}`, body: '123456789', headers })
  assertError(await put(path, 'none'), 404, 'NoSuchUpload')
  assertError(await put(`${path}2`, uploadId), 404, 'NoSuchUpload')
  assertError(await put(path, uploadId, { 'x-amz-checksum-crc32': 'y/Q5Jg==' }), 400, 'InvalidRequest')
  assert.ok((await put(path, uploadId)).headers['x-amz-checksum-sha256'])
})
