import { after, before, test } from 'node:test'
import { assertNotUsed } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketAnalyticsConfiguration finds none, whatever the id', () =>
  assertNotUsed(at, { method: 'GET', query: 'analytics&id=a', status: 404, code: 'NoSuchConfiguration' }))
