import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { presign } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketLocation answers, whatever region the client signed for', async () => {
  const name = await at.bucket()
  for (const region of [at.s3.endpoint.region, 'us-east-1']) {
    const answer = await at.s3.send({ path: `/${name}?location`, region })
    assert.equal(answer.status, 200, answer.text)
    assert.ok(answer.text.endsWith(`>${at.s3.endpoint.region}</LocationConstraint>`), answer.text)
  }
  const path = presign(
    { path: `/${name}`, query: { location: '' }, region: 'us-east-1' },
    at.s3.endpoint,
    at.s3.keys,
  )
  assert.equal((await at.s3.exchange({ path }, at.s3.hostHeader)).status, 200)
  assertError(await at.other.send({ path: `/${name}?location` }), 403, 'AccessDenied')
})
