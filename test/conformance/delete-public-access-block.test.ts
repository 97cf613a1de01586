import { after, before, test } from 'node:test'
import { assertDeletes } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeletePublicAccessBlock removes the settings, and may be repeated', async () => {
  const body =
    '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>'
  await assertDeletes(at, 'publicAccessBlock', { body, code: 'NoSuchPublicAccessBlockConfiguration' })
})
