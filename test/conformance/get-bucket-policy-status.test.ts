import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBucket, putPolicy } from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketPolicyStatus tells whether policy or list make a bucket public', async () => {
  const bucket = await openBucket(at)
  const isPublic = async () => {
    const answer = await at.s3.send({ path: `/${bucket}?policyStatus=` })
    assert.equal(answer.status, 200, answer.text)
    return tag(answer.text, 'IsPublic')
  }
  assert.equal(await isPublic(), 'false')
  await putPolicy(at.s3, bucket, { Action: 's3:GetObject' })
  assert.equal(await isPublic(), 'true')
  await putPolicy(at.s3, bucket, {
    Action: 's3:GetObject',
    Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/32' } },
  })
  assert.equal(await isPublic(), 'false')
  const list = (acl: string) =>
    at.s3.send({ method: 'PUT', path: `/${bucket}?acl=`, headers: { 'x-amz-acl': acl } })
  assert.equal((await list('authenticated-read')).status, 200)
  assert.equal(await isPublic(), 'true')
  assert.equal((await list('private')).status, 200)
  assert.equal(await isPublic(), 'false')
  assertError(await at.other.send({ path: `/${bucket}?policyStatus=` }), 403, 'AccessDenied')
})
