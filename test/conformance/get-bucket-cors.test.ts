import { after, before, test } from 'node:test'
import { assertNotSet } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketCors finds nothing where no CORS rules were set', () =>
  assertNotSet(at, 'cors', 'NoSuchCORSConfiguration'))
