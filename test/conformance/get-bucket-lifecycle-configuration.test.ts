import { after, before, test } from 'node:test'
import { assertNotSet } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketLifecycleConfiguration finds nothing where no lifecycle rules were set', () =>
  assertNotSet(at, 'lifecycle', 'NoSuchLifecycleConfiguration'))
