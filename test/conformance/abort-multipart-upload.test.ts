import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, createUpload, putPart } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('AbortMultipartUpload ends an upload for good', async () => {
  const path = `/${await at.bucket()}/k`
  const uploadId = await createUpload(at.s3, path)
  await putPart(at.s3, path, { uploadId, partNumber: 1, body: 'x' })
  const abort = () => at.s3.send({ method: 'DELETE', path: `${path}?uploadId=${uploadId}` })
  const aborted = await abort()
  assert.deepEqual([aborted.status, aborted.bytes.length], [204, 0])
  assertError(await abort(), 404, 'NoSuchUpload')
  const late = await at.s3.send({
    method: 'PUT',
    path: `${path}?partNumber=2&uploadId=${uploadId}`,
    body: 'x',
  })
  assertError(late, 404, 'NoSuchUpload')
})
