import { after, before, test } from 'node:test'
import { assertNotSet } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketTagging finds nothing where no tags were set', () =>
  assertNotSet(at, 'tagging', 'NoSuchTagSet'))
