import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  accountIdOf,
  aclDocument,
  allUsers,
  authenticatedUsers,
  byEmail,
  byId,
  byUri,
  openBucket,
} from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

let at: Conformance
let owner: string
let friend: string
before(async () => {
  at = await startConformance()
  owner = await accountIdOf(at.s3)
  friend = await accountIdOf(at.other)
})
after(() => at.close())

function put(bucket: string, request: { body?: string; headers?: Record<string, string> }, client = at.s3) {
  return client.send({ method: 'PUT', path: `/${bucket}?acl=`, ...request })
}

test('each permission of a bucket lets in for what AWS maps it to', async () => {
  const rows: readonly [
    permission: string,
    list: boolean,
    write: boolean,
    readList: boolean,
    writeList: boolean,
  ][] = [
    ['READ', true, false, false, false],
    ['WRITE', false, true, false, false],
    ['READ_ACP', false, false, true, false],
    ['WRITE_ACP', false, false, false, true],
    ['FULL_CONTROL', true, true, true, true],
  ]
  for (const [permission, list, write, readList, writeList] of rows) {
    const bucket = await openBucket(at)
    const body = aclDocument(owner, [byId(owner), 'FULL_CONTROL'], [byId(friend), permission])
    const answer = await put(bucket, { body })
    assert.equal(answer.status, 200, answer.text)
    const status = async (
      allowed: boolean,
      send: Promise<{ status: number }>,
      what: string,
    ): Promise<void> => {
      assert.equal((await send).status, allowed ? 200 : 403, `${permission} ${what}`)
    }
    await status(list, at.other.send({ method: 'HEAD', path: `/${bucket}` }), 'head')
    await status(list, at.other.send({ path: `/${bucket}?list-type=2` }), 'list')
    await status(list, at.other.send({ path: `/${bucket}?uploads=` }), 'uploads')
    await status(write, at.other.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x' }), 'write')
    await status(write, at.other.send({ method: 'POST', path: `/${bucket}/m?uploads=` }), 'upload')
    await status(readList, at.other.send({ path: `/${bucket}?acl=` }), 'read acl')
    const again = { headers: { 'x-amz-acl': 'private' } }
    await status(writeList, put(bucket, again, at.other), 'write acl')
  }
})

test('groups: everybody, and everybody with an account', async () => {
  const bucket = await openBucket(at)
  const list = (anonymous: boolean) => at.other.send({ path: `/${bucket}`, anonymous })
  assert.equal((await put(bucket, { headers: { 'x-amz-acl': 'authenticated-read' } })).status, 200)
  assert.equal((await list(false)).status, 200)
  assertError(await list(true), 403, 'AccessDenied')
  const grants = { 'x-amz-grant-read': `uri="${allUsers}"`, 'x-amz-grant-write': `uri=${authenticatedUsers}` }
  assert.equal((await put(bucket, { headers: grants })).status, 200)
  assert.equal((await list(true)).status, 200)
  const write = { method: 'PUT', path: `/${bucket}/k`, body: 'x' }
  assertError(await at.s3.send({ ...write, anonymous: true }), 403, 'AccessDenied')
  assert.equal((await at.other.send(write)).status, 200)
  // What others wrote is theirs: the list of the bucket does not open it, and the bucket's owner may delete it.
  assertError(await at.s3.send({ path: `/${bucket}/k` }), 403, 'AccessDenied')
  assert.equal((await at.other.send({ path: `/${bucket}/k` })).status, 200)
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${bucket}/k` })).status, 204)
})

test('grants name accounts by id or e-mail address; those of nobody are refused', async () => {
  const bucket = await openBucket(at)
  const headers = {
    'x-amz-grant-read': `id=${friend}, id="${owner}"`,
    'x-amz-grant-full-control': `id=${owner}`,
  }
  assert.equal((await put(bucket, { headers })).status, 200)
  const { text } = await at.s3.send({ path: `/${bucket}?acl=` })
  assert.deepEqual(tags(text, 'ID'), [owner, friend, owner, owner])
  assert.deepEqual(tags(text, 'Permission'), ['READ', 'READ', 'FULL_CONTROL'])
  const one = (grantee: string) => put(bucket, { body: aclDocument(owner, [grantee, 'READ']) })
  assertError(await one(byId('_foo')), 400, 'InvalidArgument')
  assertError(await one(byUri('http://acs.amazonaws.com/groups/global/Nobody')), 400, 'InvalidArgument')
  assertError(await one(byEmail('nobody@example.invalid')), 400, 'UnresolvableGrantByEmailAddress')
  if (at.local) {
    assert.equal((await one(byEmail('Bob@example.org'))).status, 200)
    assert.deepEqual(tags((await at.s3.send({ path: `/${bucket}?acl=` })).text, 'ID'), [owner, friend])
  }
})

test('the owner can take everything from everybody, and give it back', async () => {
  const bucket = await openBucket(at)
  assert.equal((await put(bucket, { body: aclDocument(owner) })).status, 200)
  assert.deepEqual(tags((await at.s3.send({ path: `/${bucket}?acl=` })).text, 'Permission'), [])
  assert.equal((await put(bucket, { headers: { 'x-amz-acl': 'private' } })).status, 200)
  assert.deepEqual(tags((await at.s3.send({ path: `/${bucket}?acl=` })).text, 'Permission'), ['FULL_CONTROL'])
})

test('PutBucketAcl takes one list, in one form, of the owner that is', async () => {
  const bucket = await openBucket(at)
  const body = aclDocument(owner, [byId(owner), 'FULL_CONTROL'])
  assertError(await put(bucket, {}), 400, 'MissingSecurityHeader')
  assertError(await put(bucket, { headers: { 'x-amz-acl': 'private' }, body }), 400, 'UnexpectedContent')
  assertError(await put(bucket, { headers: { 'x-amz-acl': 'public-ready' } }), 400, 'InvalidArgument')
  const both = { 'x-amz-acl': 'private', 'x-amz-grant-read': `id=${owner}` }
  assertError(await put(bucket, { headers: both }), 400, 'InvalidRequest')
  assertError(await put(bucket, { headers: { 'x-amz-grant-read': 'me' } }), 400, 'InvalidArgument')
  assertError(await put(bucket, { body: '<AccessControlPolicy/>' }), 400, 'MalformedACLError')
  assertError(
    await put(bucket, { body: aclDocument(owner, [byId(owner), 'EVERYTHING']) }),
    400,
    'MalformedACLError',
  )
  assertError(await put(bucket, { body: aclDocument(friend, [byId(owner), 'READ']) }), 403, 'AccessDenied')
  assertError(await put(bucket, { headers: { 'x-amz-acl': 'public-read' } }, at.other), 403, 'AccessDenied')
})
