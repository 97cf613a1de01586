import { after, before, test } from 'node:test'
import { assertNotUsed } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('ListBucketIntelligentTieringConfigurations lists none', () =>
  assertNotUsed(at, { method: 'GET', query: 'intelligent-tiering', status: 200 }))
