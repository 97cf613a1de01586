import { after, before, test } from 'node:test'
import { assertNotUsed } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteBucketReplication has nothing to delete, which is no error', () =>
  assertNotUsed(at, { method: 'DELETE', query: 'replication', status: 204 }))
