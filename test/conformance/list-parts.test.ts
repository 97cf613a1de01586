import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, createUpload, md5Hex, putPart } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('ListParts lists parts by number, in pages', async () => {
  const path = `/${await at.bucket()}/k`
  const uploadId = await createUpload(at.s3, path)
  for (const partNumber of [3, 1, 10])
    await putPart(at.s3, path, { uploadId, partNumber, body: `p${partNumber}` })
  const list = (query = '') => at.s3.send({ path: `${path}?${query}uploadId=${uploadId}` })
  const { status, text } = await list()
  assert.equal(status, 200)
  assert.deepEqual(tags(text, 'PartNumber'), ['1', '3', '10'])
  assert.deepEqual(tags(text, 'Size'), ['2', '2', '3'])
  assert.equal(tags(text, 'ETag')[0], `&quot;${md5Hex('p1')}&quot;`)
  const page = await list('max-parts=2&')
  assert.deepEqual([tag(page.text, 'IsTruncated'), tag(page.text, 'NextPartNumberMarker')], ['true', '3'])
  assert.deepEqual(tags((await list('part-number-marker=3&')).text, 'PartNumber'), ['10'])
  assertError(await list('max-parts=0&'), 400, 'InvalidArgument')
  assertError(await list('part-number-marker=x&'), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: `${path}?uploadId=none` }), 404, 'NoSuchUpload')
})
