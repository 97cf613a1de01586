import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBucket, putPolicy } from './access-control.ts'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const setting = (name: string) =>
  `<PublicAccessBlockConfiguration><${name}>true</${name}></PublicAccessBlockConfiguration>`

function block(bucket: string, body: string) {
  return at.s3.send({ method: 'PUT', path: `/${bucket}?publicAccessBlock=`, body })
}

test('RestrictPublicBuckets leaves a public bucket to its own account', async () => {
  const bucket = await openBucket(at)
  await putObject(at.s3, `/${bucket}/k`, 'text')
  await putPolicy(at.s3, bucket, { Action: 's3:GetObject' })
  const read = { path: `/${bucket}/k` }
  assert.equal((await at.s3.send({ ...read, anonymous: true })).text, 'text')
  assert.equal((await block(bucket, setting('RestrictPublicBuckets'))).status, 200)
  assertError(await at.s3.send({ ...read, anonymous: true }), 403, 'AccessDenied')
  assertError(await at.other.send(read), 403, 'AccessDenied')
  assert.equal((await at.s3.send(read)).text, 'text')
})

test('BlockPublicAcls refuses public lists, IgnorePublicAcls makes them ineffective', async () => {
  const bucket = await openBucket(at)
  const list = (acl: string) =>
    at.s3.send({ method: 'PUT', path: `/${bucket}?acl=`, headers: { 'x-amz-acl': acl } })
  assert.equal((await list('public-read')).status, 200)
  assert.equal((await at.other.send({ path: `/${bucket}` })).status, 200)
  assert.equal((await block(bucket, setting('IgnorePublicAcls'))).status, 200)
  assertError(await at.other.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  assert.equal((await block(bucket, setting('BlockPublicAcls'))).status, 200)
  assert.equal((await at.other.send({ path: `/${bucket}` })).status, 200)
  for (const acl of ['public-read', 'public-read-write', 'authenticated-read']) {
    assertError(await list(acl), 403, 'AccessDenied')
  }
  assert.equal((await list('private')).status, 200)
})

test('PutPublicAccessBlock refuses what is none', async () => {
  const bucket = await openBucket(at)
  assertError(
    await block(bucket, '<PublicAccessBlockConfiguration><Other/></PublicAccessBlockConfiguration>'),
    400,
    'MalformedXML',
  )
  assertError(await block(bucket, setting('BlockPublicAcls').replace('true', 'maybe')), 400, 'MalformedXML')
  assertError(await block(bucket, ''), 400, 'MalformedXML')
})
