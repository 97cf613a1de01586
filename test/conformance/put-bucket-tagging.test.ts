import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const tagging = (...inner: string[]) => `<Tagging><TagSet>${inner.join('')}</TagSet></Tagging>`
const one = (key: string, value: string) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`

test('PutBucketTagging replaces all tags, which keep their order', async () => {
  const document = await bucketDocument(at, 'tagging')
  await putDocument(document, tagging(one('old', '1')))
  await putDocument(document, tagging(one('z', 'last'), one('a', 'first'), one('m', '')))
  const { text } = await document.get()
  assert.deepEqual(tags(text, 'Key'), ['z', 'a', 'm'])
  assert.deepEqual(tags(text, 'Value'), ['last', 'first', ''])
  await putDocument(document, tagging())
  assertError(await document.get(), 404, 'NoSuchTagSet')
})

test('PutBucketTagging refuses what is no set of tags, and strangers', async () => {
  const document = await bucketDocument(at, 'tagging')
  const keys = (count: number) =>
    tagging(...Array.from({ length: count }, (_, index) => one(`k${index}`, '')))
  await putDocument(document, keys(50))
  assertError(await document.put(keys(51)), 400, 'BadRequest')
  assertError(await document.put(tagging(one('a', '1'), one('a', '2'))), 400, 'InvalidTag')
  assertError(await document.put(tagging(one('aws:a', '1'))), 400, 'InvalidTag')
  assertError(await document.put('<Tagging/>'), 400, 'MalformedXML')
  assertError(await document.put(''), 400, 'MalformedXML')
  assertError(await document.put(tagging(one('a', '1')), at.other), 403, 'AccessDenied')
  assert.equal(tags((await document.get()).text, 'Key').length, 50)
})
