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

test('GetBucketAccelerateConfiguration says nothing of a bucket that nobody has asked to accelerate', async () => {
  const document = await bucketDocument(at, 'accelerate')
  const answer = await document.get()
  assert.equal(answer.status, 200)
  assert.match(answer.text, /<AccelerateConfiguration xmlns="[^"]+"><\/AccelerateConfiguration>$/)
  assertError(await document.get(at.other), 403, 'AccessDenied')
})
