import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const status = (text: string) => `<AccelerateConfiguration><Status>${text}</Status></AccelerateConfiguration>`

test('PutBucketAccelerateConfiguration takes Suspended, which is how it is', async () => {
  const document = await bucketDocument(at, 'accelerate')
  assertError(await document.put(status('Enabled')), 501, 'NotImplemented')
  assertError(await document.put(status('suspended')), 400, 'MalformedXML')
  assertError(await document.put(status('Suspended'), at.other), 403, 'AccessDenied')
  assert.equal(tag((await document.get()).text, 'Status'), undefined)
  await putDocument(document, status('Suspended'))
  assert.equal(tag((await document.get()).text, 'Status'), 'Suspended')
})
