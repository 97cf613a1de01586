import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteBucketPolicy removes the policy, and may be repeated', async () => {
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: 'arn:aws:iam::123456789012:root' },
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::*',
  }
  const body = JSON.stringify({ Version: '2012-10-17', Statement: statement })
  await assertDeletes(at, 'policy', { body, code: 'NoSuchBucketPolicy' })
})
