import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { policyText } from './access-control.ts'
import { assertNotSet, bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketPolicy answers what was put, byte for byte', async () => {
  await assertNotSet(at, 'policy', 'NoSuchBucketPolicy')
  const document = await bucketDocument(at, 'policy')
  const fixed = { AWS: 'arn:aws:iam::123456789012:root' }
  const text = ` ${policyText(document.bucket, { Principal: fixed, Action: 's3:GetObject' }).replaceAll(',', ' ,\n')}`
  await putDocument(document, text)
  const answer = await document.get()
  assert.equal(answer.text, text)
  assert.equal(answer.headers['content-type'], 'application/json')
})
