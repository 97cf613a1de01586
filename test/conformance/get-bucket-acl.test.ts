import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { accountIdOf, allUsers, openBucket } from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketAcl names the owner and every grant', async () => {
  const id = await accountIdOf(at.s3)
  const bucket = await openBucket(at)
  const { text } = await at.s3.send({ path: `/${bucket}?acl=` })
  assert.deepEqual(tags(text, 'ID'), [id, id])
  assert.deepEqual(tags(text, 'Permission'), ['FULL_CONTROL'])
  assert.equal(tags(text, 'DisplayName').length, 2)
  assert.match(text, /<Grantee xmlns:xsi="[^"]+" xsi:type="CanonicalUser">/)
  const headers = { 'x-amz-acl': 'public-read-write' }
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${bucket}?acl=`, headers })).status, 200)
  const open = (await at.s3.send({ path: `/${bucket}?acl=` })).text
  assert.deepEqual(tags(open, 'Permission'), ['READ', 'WRITE', 'FULL_CONTROL'])
  assert.deepEqual(tags(open, 'URI'), [allUsers, allUsers])
  // Reading the list is a right of its own.
  assertError(await at.other.send({ path: `/${bucket}?acl=` }), 403, 'AccessDenied')
})

test('GetBucketAcl of a bucket whose lists do not count shows its owner', async () => {
  const bucket = await openBucket(at, { 'x-amz-object-ownership': 'BucketOwnerEnforced' })
  const { text } = await at.s3.send({ path: `/${bucket}?acl=` })
  assert.deepEqual(tags(text, 'Permission'), ['FULL_CONTROL'])
})
