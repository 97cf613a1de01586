import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const body =
  '<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>'

test('DeleteBucketLifecycle takes the lifecycle rules away, and may be repeated', () =>
  assertDeletes(at, 'lifecycle', { body, code: 'NoSuchLifecycleConfiguration' }))
