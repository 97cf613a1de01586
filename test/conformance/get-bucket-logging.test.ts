import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketLogging says nothing of a bucket that is not logged', async () => {
  const document = await bucketDocument(at, 'logging')
  const answer = await document.get()
  assert.equal(answer.status, 200)
  assert.match(answer.text, /<BucketLoggingStatus xmlns="[^"]+"><\/BucketLoggingStatus>$/)
  assertError(await document.get(at.other), 403, 'AccessDenied')
})
