import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const body = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'

test('DeleteBucketTagging takes the tags away, and may be repeated', () =>
  assertDeletes(at, 'tagging', { body, code: 'NoSuchTagSet' }))
