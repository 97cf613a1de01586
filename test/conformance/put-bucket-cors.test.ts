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

const cors = (inner: string) => `<CORSConfiguration>${inner}</CORSConfiguration>`
const rule = (method: string, more = '') =>
  `<CORSRule><AllowedOrigin>https://*.de</AllowedOrigin><AllowedMethod>${method}</AllowedMethod>${more}</CORSRule>`

test('PutBucketCors keeps rules as they were put', async () => {
  const document = await bucketDocument(at, 'cors')
  await putDocument(document, cors(rule('DELETE')))
  const more =
    '<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds><ID>i</ID>'
  await putDocument(document, cors(rule('GET', more) + rule('PUT')))
  const { text } = await document.get()
  assert.deepEqual(tags(text, 'AllowedMethod'), ['GET', 'PUT'])
  assert.deepEqual(tags(text, 'AllowedOrigin'), ['https://*.de', 'https://*.de'])
  for (const [name, value] of [
    ['AllowedHeader', '*'],
    ['ExposeHeader', 'ETag'],
    ['MaxAgeSeconds', '60'],
    ['ID', 'i'],
  ] as const) {
    assert.deepEqual(tags(text, name), [value])
  }
})

test('PutBucketCors refuses what are no rules, and strangers', async () => {
  const document = await bucketDocument(at, 'cors')
  assertError(await document.put(cors(rule('PATCH'))), 400, 'InvalidRequest')
  assertError(await document.put(cors('')), 400, 'MalformedXML')
  assertError(await document.put(cors(rule('GET')), at.other), 403, 'AccessDenied')
  assertError(await document.get(), 404, 'NoSuchCORSConfiguration')
})
