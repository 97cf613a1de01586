import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { accountIdOf, aclDocument, byId, openBucket, putPolicy } from './access-control.ts'
import { assertError, completeDocument, createUpload, putObject, putPart } from './ask.ts'
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

function put(path: string, request: { body?: string; headers?: Record<string, string> }, client = at.s3) {
  return client.send({ method: 'PUT', path: `${path}?acl=`, ...request })
}

test('each permission of an object lets in for what AWS maps it to', async () => {
  const rows: readonly [permission: string, read: boolean, readList: boolean, writeList: boolean][] = [
    ['READ', true, false, false],
    ['WRITE', false, false, false],
    ['READ_ACP', false, true, false],
    ['WRITE_ACP', false, false, true],
    ['FULL_CONTROL', true, true, true],
  ]
  const bucket = await openBucket(at)
  const path = `/${bucket}/k`
  for (const [permission, read, readList, writeList] of rows) {
    await putObject(at.s3, path, 'text')
    const body = aclDocument(owner, [byId(owner), 'FULL_CONTROL'], [byId(friend), permission])
    assert.equal((await put(path, { body })).status, 200)
    const status = async (
      allowed: boolean,
      send: Promise<{ status: number }>,
      what: string,
    ): Promise<void> => {
      assert.equal((await send).status, allowed ? 200 : 403, `${permission} ${what}`)
    }
    await status(read, at.other.send({ path }), 'get')
    await status(read, at.other.send({ method: 'HEAD', path }), 'head')
    await status(false, at.other.send({ method: 'PUT', path, body: 'x' }), 'overwrite')
    await status(readList, at.other.send({ path: `${path}?acl=` }), 'read acl')
    await status(writeList, put(path, { headers: { 'x-amz-acl': 'private' } }, at.other), 'write acl')
    assert.equal((await at.s3.send({ path: `${path}?acl=` })).status, 200)
  }
})

test('a list is changed, the object is not; a public one opens it to everybody', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'text')
  const before = await at.s3.send({ method: 'HEAD', path })
  assertError(await at.s3.send({ path, anonymous: true }), 403, 'AccessDenied')
  assert.equal((await put(path, { headers: { 'x-amz-acl': 'public-read' } })).status, 200)
  assert.equal((await at.s3.send({ path, anonymous: true })).text, 'text')
  const { headers } = await at.s3.send({ method: 'HEAD', path })
  assert.equal(headers['last-modified'], before.headers['last-modified'])
  assert.equal(headers.etag, before.headers.etag)
  // An overwrite begins anew.
  await putObject(at.s3, path, 'more')
  assertError(await at.s3.send({ path, anonymous: true }), 403, 'AccessDenied')
})

test('lists of versions are their own', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}/k`
  const versioning = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  assert.equal(
    (await at.s3.send({ method: 'PUT', path: `/${bucket}?versioning=`, body: versioning })).status,
    200,
  )
  const first = (await putObject(at.s3, path, 'one')).headers['x-amz-version-id']
  await putObject(at.s3, path, 'two')
  const named = await at.s3.send({
    method: 'PUT',
    path: `${path}?acl=&versionId=${first}`,
    headers: { 'x-amz-acl': 'public-read' },
  })
  assert.equal(named.status, 200, named.text)
  assert.equal(named.headers['x-amz-version-id'], first)
  assertError(await at.s3.send({ path, anonymous: true }), 403, 'AccessDenied')
  assert.equal((await at.s3.send({ path: `${path}?versionId=${first}`, anonymous: true })).text, 'one')
  const unknown = '0'.repeat(32)
  assertError(await at.s3.send({ path: `${path}?acl=&versionId=${unknown}` }), 404, 'NoSuchVersion')
  assertError(await at.other.send({ path: `${path}?acl=&versionId=${unknown}` }), 403, 'AccessDenied')
})

test('copies and uploads in parts take the list of their own request', async () => {
  const bucket = await openBucket(at)
  await putObject(at.s3, `/${bucket}/from`, 'text', { 'x-amz-acl': 'public-read' })
  const copy = (headers: Record<string, string>) =>
    at.s3.send({
      method: 'PUT',
      path: `/${bucket}/to`,
      headers: { 'x-amz-copy-source': `/${bucket}/from`, ...headers },
    })
  assert.equal((await copy({})).status, 200)
  assertError(await at.s3.send({ path: `/${bucket}/to`, anonymous: true }), 403, 'AccessDenied')
  assert.equal((await copy({ 'x-amz-acl': 'public-read' })).status, 200)
  assert.equal((await at.s3.send({ path: `/${bucket}/to`, anonymous: true })).text, 'text')
  const path = `/${bucket}/parts`
  const uploadId = await createUpload(at.s3, path, { 'x-amz-acl': 'authenticated-read' })
  const etag = await putPart(at.s3, path, { uploadId, partNumber: 1, body: 'part' })
  const completed = await at.s3.send({
    method: 'POST',
    path: `${path}?uploadId=${uploadId}`,
    body: completeDocument([etag]),
  })
  assert.equal(completed.status, 200, completed.text)
  assert.equal((await at.other.send({ path })).text, 'part')
  assertError(await at.s3.send({ path, anonymous: true }), 403, 'AccessDenied')
})

test('to let in others with a write takes the right to set lists', async () => {
  const bucket = await openBucket(at)
  const write = (headers: Record<string, string>) =>
    at.other.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x', headers })
  await putPolicy(at.s3, bucket, { Action: 's3:PutObject' })
  assert.equal((await write({})).status, 200)
  assert.equal((await write({ 'x-amz-acl': 'bucket-owner-full-control' })).status, 200)
  assert.equal((await write({ 'x-amz-grant-full-control': `id=${owner}` })).status, 200)
  assertError(await write({ 'x-amz-acl': 'public-read' }), 403, 'AccessDenied')
  assertError(await write({ 'x-amz-grant-read': `id=${friend}` }), 403, 'AccessDenied')
  await putPolicy(at.s3, bucket, { Action: ['s3:PutObject', 's3:PutObjectAcl'] })
  assert.equal((await write({ 'x-amz-acl': 'public-read' })).status, 200)
})

test('PutObjectAcl refuses lists that do not count, are blocked, or are none', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}/k`
  await putObject(at.s3, path)
  const block =
    '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>'
  assertError(await put(path, {}), 400, 'MissingSecurityHeader')
  assertError(await put(path, { body: aclDocument(friend, [byId(owner), 'READ']) }), 403, 'AccessDenied')
  assertError(await put(`/${bucket}/none`, { headers: { 'x-amz-acl': 'private' } }), 404, 'NoSuchKey')
  await at.s3.send({ method: 'PUT', path: `/${bucket}?publicAccessBlock=`, body: block })
  assertError(await put(path, { headers: { 'x-amz-acl': 'public-read' } }), 403, 'AccessDenied')
  const write = { method: 'PUT', path, body: 'x', headers: { 'x-amz-acl': 'authenticated-read' } }
  assertError(await at.s3.send(write), 403, 'AccessDenied')
  const enforced = await openBucket(at, { 'x-amz-object-ownership': 'BucketOwnerEnforced' })
  await putObject(at.s3, `/${enforced}/k`)
  const headers = { 'x-amz-acl': 'private' }
  assertError(await put(`/${enforced}/k`, { headers }), 400, 'AccessControlListNotSupported')
  // What is in force anyway may be said, as s3cmd does when it copies.
  const inForce = aclDocument(owner, [byId(owner), 'FULL_CONTROL'])
  assert.equal((await put(`/${enforced}/k`, { body: inForce })).status, 200)
  const more = aclDocument(owner, [byId(owner), 'FULL_CONTROL'], [byId(friend), 'READ'])
  assertError(await put(`/${enforced}/k`, { body: more }), 400, 'AccessControlListNotSupported')
  const { text } = await at.s3.send({ path: `/${enforced}/k?acl=` })
  assert.deepEqual(tags(text, 'Permission'), ['FULL_CONTROL'])
})

test('tags of the stored object decide, on reading and on writing', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}/k`
  const open = { StringEquals: { 's3:ExistingObjectTag/security': 'public' } }
  await putPolicy(
    at.s3,
    bucket,
    { Action: ['s3:GetObject', 's3:PutObjectTagging'], Condition: open },
    { Effect: 'Deny', Action: 's3:DeleteObject', Condition: open },
  )
  await putObject(at.s3, path, 'text', { 'x-amz-tagging': 'security=private' })
  assertError(await at.other.send({ path }), 403, 'AccessDenied')
  await putObject(at.s3, path, 'text', { 'x-amz-tagging': 'security=public' })
  assert.equal((await at.other.send({ path })).text, 'text')
  assertError(await at.s3.send({ method: 'DELETE', path }), 403, 'AccessDenied')
  const tagging = (value: string) =>
    at.other.send({
      method: 'PUT',
      path: `${path}?tagging=`,
      body: `<Tagging><TagSet><Tag><Key>security</Key><Value>${value}</Value></Tag></TagSet></Tagging>`,
    })
  assert.equal((await tagging('private')).status, 200)
  assertError(await tagging('public'), 403, 'AccessDenied')
  assertError(await at.other.send({ path }), 403, 'AccessDenied')
  assert.equal((await at.s3.send({ method: 'DELETE', path })).status, 204)
})
