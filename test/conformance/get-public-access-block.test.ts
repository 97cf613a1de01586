import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBucket } from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetPublicAccessBlock answers the four settings, or that there are none', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}?publicAccessBlock=`
  assertError(await at.s3.send({ path }), 404, 'NoSuchPublicAccessBlockConfiguration')
  assertError(await at.other.send({ path }), 403, 'AccessDenied')
  const body =
    '<PublicAccessBlockConfiguration><IgnorePublicAcls>TRUE</IgnorePublicAcls><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>'
  assert.equal((await at.s3.send({ method: 'PUT', path, body })).status, 200)
  const { text } = await at.s3.send({ path })
  assert.equal(tag(text, 'IgnorePublicAcls'), 'true')
  for (const off of ['BlockPublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets']) {
    assert.equal(tag(text, off), 'false')
  }
})
