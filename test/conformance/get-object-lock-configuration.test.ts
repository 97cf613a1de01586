import { after, before, test } from 'node:test'
import { assertNotSet } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObjectLockConfiguration finds nothing in a bucket without Object Lock', () =>
  assertNotSet(at, 'object-lock', 'ObjectLockConfigurationNotFoundError'))
