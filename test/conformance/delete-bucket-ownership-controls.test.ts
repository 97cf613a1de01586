import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteBucketOwnershipControls removes the setting, and may be repeated', async () => {
  const body =
    '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>'
  await assertDeletes(at, 'ownershipControls', { body, code: 'OwnershipControlsNotFoundError' })
})
