import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { accountIdOf, allUsers, openBucket } from './access-control.ts'
import { assertError, putObject } from './ask.ts'
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

test('GetObjectAcl shows the list that a write brought, canned or in grants', async () => {
  const bucket = await openBucket(at)
  const rows: readonly [headers: Record<string, string>, permissions: string[], named: string[]][] = [
    [{}, ['FULL_CONTROL'], [owner]],
    [{ 'x-amz-acl': 'private' }, ['FULL_CONTROL'], [owner]],
    [{ 'x-amz-acl': 'public-read' }, ['READ', 'FULL_CONTROL'], [allUsers, owner]],
    [{ 'x-amz-acl': 'bucket-owner-full-control' }, ['FULL_CONTROL'], [owner]],
    [{ 'x-amz-grant-read-acp': `id="${friend}"` }, ['READ_ACP'], [friend]],
  ]
  for (const [headers, permissions, named] of rows) {
    await putObject(at.s3, `/${bucket}/k`, 'x', headers)
    const { text } = await at.s3.send({ path: `/${bucket}/k?acl=` })
    assert.deepEqual(tags(text, 'Permission'), permissions)
    assert.deepEqual([...tags(text, 'URI'), ...tags(text, 'ID').slice(1)], named)
  }
})

test('GetObjectAcl is a right of its own, and tells nobody else what exists', async () => {
  const bucket = await openBucket(at)
  await putObject(at.s3, `/${bucket}/k`, 'x', { 'x-amz-grant-read': `id=${friend}` })
  const path = `/${bucket}/k?acl=`
  assertError(await at.other.send({ path }), 403, 'AccessDenied')
  assertError(await at.other.send({ path: `/${bucket}/none?acl=` }), 403, 'AccessDenied')
  assertError(await at.s3.send({ path: `/${bucket}/none?acl=` }), 404, 'NoSuchKey')
  await putObject(at.s3, `/${bucket}/k`, 'x', { 'x-amz-grant-read-acp': `id=${friend}` })
  assert.equal((await at.other.send({ path })).status, 200)
  assertError(await at.other.send({ path: `/${bucket}/k` }), 403, 'AccessDenied')
})

test('writers own what they write, unless the bucket says otherwise', async () => {
  const rows: readonly [ownership: string, acl: string | undefined, ownedBy: 'bucket' | 'writer'][] = [
    ['ObjectWriter', undefined, 'writer'],
    ['ObjectWriter', 'bucket-owner-full-control', 'writer'],
    ['BucketOwnerPreferred', undefined, 'writer'],
    ['BucketOwnerPreferred', 'bucket-owner-full-control', 'bucket'],
    ['BucketOwnerPreferred', 'private', 'writer'],
    ['BucketOwnerEnforced', undefined, 'bucket'],
    ['BucketOwnerEnforced', 'bucket-owner-full-control', 'bucket'],
  ]
  for (const [ownership, acl, ownedBy] of rows) {
    const bucket = await openBucket(at, { 'x-amz-object-ownership': ownership })
    const policy = {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: '*',
        Action: '*',
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    }
    const put = { method: 'PUT', path: `/${bucket}?policy=`, body: JSON.stringify(policy) }
    assert.equal((await at.s3.send(put)).status, 204)
    await putObject(at.other, `/${bucket}/k`, 'x', acl === undefined ? {} : { 'x-amz-acl': acl })
    const answer = await at.other.send({ path: `/${bucket}/k?acl=` })
    assert.equal(tags(answer.text, 'ID')[0], ownedBy === 'bucket' ? owner : friend, `${ownership} ${acl}`)
    // A policy of the bucket does not open what another account owns, not even for the bucket's owner.
    const mine = ownedBy === 'bucket' || acl === 'bucket-owner-full-control'
    const read = await at.s3.send({ path: `/${bucket}/k` })
    assert.equal(read.status, mine ? 200 : 403, `${ownership} ${acl} ${read.text}`)
  }
})
