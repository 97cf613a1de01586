import { after, before, test } from 'node:test'
import { assertNotUsed } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('ListBucketAnalyticsConfigurations lists none', () =>
  assertNotUsed(at, { method: 'GET', query: 'analytics', status: 200 }))
