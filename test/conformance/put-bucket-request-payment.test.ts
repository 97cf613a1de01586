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

const payer = (name: string) =>
  `<RequestPaymentConfiguration><Payer>${name}</Payer></RequestPaymentConfiguration>`

test('PutBucketRequestPayment takes the owner as payer and nobody else', async () => {
  const document = await bucketDocument(at, 'requestPayment')
  await putDocument(document, payer('BucketOwner'))
  assertError(await document.put(payer('Requester')), 501, 'NotImplemented')
  assertError(await document.put(payer('requester')), 400, 'MalformedXML')
  assertError(await document.put('<RequestPaymentConfiguration/>'), 400, 'MalformedXML')
  assertError(await document.put(payer('BucketOwner'), at.other), 403, 'AccessDenied')
  assert.equal(tag((await document.get()).text, 'Payer'), 'BucketOwner')
})
