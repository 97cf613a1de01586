import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const body =
  '<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>'

test('DeleteBucketWebsite takes the website away, and may be repeated', () =>
  assertDeletes(at, 'website', { body, code: 'NoSuchWebsiteConfiguration' }))
