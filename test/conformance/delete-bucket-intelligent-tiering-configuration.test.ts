import { after, before, test } from 'node:test'
import { assertNotUsed } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteBucketIntelligentTieringConfiguration finds none to delete', () =>
  assertNotUsed(at, {
    method: 'DELETE',
    query: 'intelligent-tiering&id=a',
    status: 404,
    code: 'NoSuchConfiguration',
  }))
