import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketRequestPayment: the owner pays', async () => {
  const document = await bucketDocument(at, 'requestPayment')
  assert.equal(tag((await document.get()).text, 'Payer'), 'BucketOwner')
  assertError(await document.get(at.other), 403, 'AccessDenied')
})
