import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  assertError,
  completeDocument,
  createUpload,
  partBytes,
  putObject,
  putVersion,
  versionOf,
} from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('UploadPartCopy makes parts of an object and of ranges of it', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/t`
  const content = Buffer.alloc(partBytes + 10, 'abcdefghijklm')
  await putObject(at.s3, `/${bucket}/source`, content)
  const uploadId = await createUpload(at.s3, path)
  const copy = (partNumber: number, range?: string, source = `/${bucket}/source`) =>
    at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=${partNumber}&uploadId=${uploadId}`,
      headers: {
        'x-amz-copy-source': source,
        ...(range === undefined ? {} : { 'x-amz-copy-source-range': range }),
      },
    })
  const whole = await copy(1)
  assert.equal(whole.status, 200, whole.text)
  const tail = await copy(2, `bytes=${partBytes}-${partBytes + 9}`)
  assertError(await copy(3, `bytes=0-${partBytes + 10}`), 416, 'InvalidRange')
  assertError(await copy(3, 'bytes=0-'), 400, 'InvalidArgument')
  assertError(await copy(3, undefined, `/${bucket}/none`), 404, 'NoSuchKey')
  const etags = [whole, tail].map(({ text }) => tag(text, 'ETag') ?? '')
  const body = completeDocument(etags)
  const done = await at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body })
  assert.equal(done.status, 200, done.text)
  const got = await at.s3.send({ path })
  assert.ok(got.bytes.equals(Buffer.concat([content, content.subarray(partBytes)])))
})

test('UploadPartCopy copies from the version that is named, and says which it read', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const source = `/${bucket}/source`
  const first = await putVersion(at.s3, source, 'first')
  const second = await putVersion(at.s3, source, 'second')
  const path = `/${bucket}/t`
  const uploadId = await createUpload(at.s3, path)
  const copy = (query: string) =>
    at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=1&uploadId=${uploadId}`,
      headers: { 'x-amz-copy-source': `${source}${query}` },
    })
  assert.equal((await copy('')).headers['x-amz-copy-source-version-id'], second)
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path: source }))
  assertError(await copy(''), 404, 'NoSuchKey')
  assertError(await copy(`?versionId=${marker}`), 400, 'InvalidRequest')
  const named = await copy(`?versionId=${first}`)
  assert.equal(named.headers['x-amz-copy-source-version-id'], first)
  const body = completeDocument([tag(named.text, 'ETag') ?? ''])
  const done = await at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body })
  const got = await at.s3.send({ path })
  assert.deepEqual([got.text, versionOf(got)], ['first', versionOf(done)])
})
