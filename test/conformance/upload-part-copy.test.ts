import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, completeDocument, createUpload, partBytes, putObject } from './ask.ts'
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
