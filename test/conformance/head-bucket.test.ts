import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('HeadBucket names the region; errors have no body', async () => {
  const name = await at.bucket()
  const found = await at.s3.send({ method: 'HEAD', path: `/${name}` })
  assert.equal(found.status, 200)
  assert.equal(found.headers['x-amz-bucket-region'], at.s3.endpoint.region)
  const missing = await at.s3.send({ method: 'HEAD', path: `/${name}-none` })
  assert.deepEqual([missing.status, missing.bytes.length], [404, 0])
  assert.ok(missing.headers['x-amz-request-id'])
  const foreign = await at.other.send({ method: 'HEAD', path: `/${name}` })
  assert.deepEqual([foreign.status, foreign.bytes.length], [403, 0])
  const anonymous = await at.s3.send({ method: 'HEAD', path: `/${name}`, anonymous: true })
  assert.deepEqual([anonymous.status, anonymous.bytes.length], [403, 0])
})

test('HeadBucket of another owner than expected is refused', async () => {
  const name = await at.bucket()
  const headers = { 'x-amz-expected-bucket-owner': '111122223333' }
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${name}`, headers })).status, 403)
})
