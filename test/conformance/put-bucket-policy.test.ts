import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { accountIdOf, openBucket, policyText, putPolicy } from './access-control.ts'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('a bucket policy lets in whom it names, and nobody else', async () => {
  const bucket = await openBucket(at)
  const friend = { AWS: `arn:aws:iam::${await accountIdOf(at.other)}:root` }
  await putObject(at.s3, `/${bucket}/shared/a`, 'for both')
  await putObject(at.s3, `/${bucket}/own`)
  const shared = `arn:aws:s3:::${bucket}/shared/*`
  assertError(await at.other.send({ path: `/${bucket}/shared/a` }), 403, 'AccessDenied')
  await putPolicy(at.s3, bucket, { Principal: friend, Action: 's3:GetObject', Resource: shared })
  assert.equal((await at.other.send({ path: `/${bucket}/shared/a` })).text, 'for both')
  assertError(await at.other.send({ path: `/${bucket}/own` }), 403, 'AccessDenied')
  assertError(
    await at.other.send({ method: 'PUT', path: `/${bucket}/shared/a`, body: 'x' }),
    403,
    'AccessDenied',
  )
  assertError(await at.other.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  assertError(await at.s3.send({ path: `/${bucket}/shared/a`, anonymous: true }), 403, 'AccessDenied')
  await putPolicy(at.s3, bucket, { Action: 's3:GetObject', Resource: shared })
  assert.equal((await at.s3.send({ path: `/${bucket}/shared/a`, anonymous: true })).text, 'for both')
})

test('who may not list is not told whether a key exists', async () => {
  const bucket = await openBucket(at)
  await putPolicy(
    at.s3,
    bucket,
    { Action: 's3:GetObject' },
    { Action: 's3:ListBucket', Condition: { StringLike: { 's3:prefix': 'public/*' } } },
  )
  assertError(await at.other.send({ path: `/${bucket}/private/no` }), 403, 'AccessDenied')
  assertError(await at.other.send({ path: `/${bucket}/public/no` }), 404, 'NoSuchKey')
  assert.equal((await at.other.send({ method: 'HEAD', path: `/${bucket}/private/no` })).status, 403)
  assert.equal((await at.other.send({ method: 'HEAD', path: `/${bucket}/public/no` })).status, 404)
  assertError(await at.s3.send({ path: `/${bucket}/private/no` }), 404, 'NoSuchKey')
  assert.equal((await at.other.send({ path: `/${bucket}?prefix=public/` })).status, 200)
  assertError(await at.other.send({ path: `/${bucket}` }), 403, 'AccessDenied')
})

test('a deny wins, even over the owner, but never over his way back to the policy', async () => {
  const bucket = await openBucket(at)
  await putObject(at.s3, `/${bucket}/k`)
  await putPolicy(at.s3, bucket, { Action: 's3:*' }, { Effect: 'Deny', Action: 's3:*' })
  assertError(await at.s3.send({ path: `/${bucket}/k` }), 403, 'AccessDenied')
  assertError(await at.s3.send({ method: 'DELETE', path: `/${bucket}` }), 403, 'AccessDenied')
  assertError(await at.other.send({ path: `/${bucket}?policy=` }), 403, 'AccessDenied')
  assert.equal((await at.s3.send({ path: `/${bucket}?policy=` })).status, 200)
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${bucket}?policy=` })).status, 204)
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).status, 200)
})

test('conditions see the request, and only what its action reads of it', async () => {
  const bucket = await openBucket(at)
  const write = (headers: Record<string, string>, key = 'k') =>
    at.other.send({ method: 'PUT', path: `/${bucket}/${key}`, body: 'x', headers })
  await putPolicy(at.s3, bucket, {
    Action: ['s3:PutObject', 's3:GetObject'],
    Condition: { StringEquals: { 's3:x-amz-meta-case': '7' }, Bool: { 'aws:SecureTransport': 'false' } },
  })
  assertError(await write({}), 403, 'AccessDenied')
  assertError(await write({ 'x-amz-meta-case': '8' }), 403, 'AccessDenied')
  assert.equal((await write({ 'x-amz-meta-case': '7' })).status, 200)
  const read = await at.s3.send({
    path: `/${bucket}/k`,
    headers: { 'x-amz-meta-case': '7' },
    anonymous: true,
  })
  assertError(read, 403, 'AccessDenied')
  await putPolicy(at.s3, bucket, {
    Action: 's3:*',
    Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' }, StringLike: { 'aws:Referer': 'https://a/*' } },
  })
  const asked = { path: `/${bucket}`, anonymous: true }
  assert.equal((await at.s3.send({ ...asked, headers: { referer: 'https://a/b' } })).status, 200)
  assertError(await at.s3.send({ ...asked, headers: { referer: 'https://b/a' } }), 403, 'AccessDenied')
})

test('a copy reads its source under the policy of that bucket', async () => {
  const source = await openBucket(at)
  await putObject(at.s3, `/${source}/public/a`, 'text')
  await putObject(at.s3, `/${source}/private/a`)
  await putPolicy(at.s3, source, { Action: 's3:GetObject', Resource: `arn:aws:s3:::${source}/public/*` })
  const target = `${source}-to`
  assert.equal((await at.other.send({ method: 'PUT', path: `/${target}` })).status, 200)
  const copy = (from: string, to = target) =>
    at.other.send({ method: 'PUT', path: `/${to}/k`, headers: { 'x-amz-copy-source': from } })
  assert.equal((await copy(`/${source}/public/a`)).status, 200)
  assert.equal((await at.other.send({ path: `/${target}/k` })).text, 'text')
  assertError(await copy(`/${source}/private/a`), 403, 'AccessDenied')
  assertError(await copy(`/${source}/public/none`), 403, 'AccessDenied')
  assertError(await copy(`/${source}/public/a`, source), 403, 'AccessDenied')
  await putPolicy(
    at.s3,
    source,
    { Action: 's3:GetObject' },
    { Action: 's3:PutObject', Condition: { StringLike: { 's3:x-amz-copy-source': `${source}/public/*` } } },
  )
  assert.equal((await copy(`${source}/public/a`, source)).status, 200)
  assertError(await copy(`${source}/private/a`, source), 403, 'AccessDenied')
})

test('policies that are none, or are about something else, are MalformedPolicy', async () => {
  const bucket = await openBucket(at)
  const put = (body: string) => at.s3.send({ method: 'PUT', path: `/${bucket}?policy=`, body })
  const refused = [
    '',
    '<Policy/>',
    '{"Statement": []}',
    policyText(bucket, { Action: 's3:GetObject', Resource: 'arn:aws:s3:::another-bucket/*' }),
    policyText(bucket, { Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}-2` }),
    policyText(bucket, { Action: 'sqs:SendMessage' }),
    policyText(bucket, { Action: 's3:GetObject', Condition: { Equals: { 's3:prefix': 'a' } } }),
    policyText(bucket, { Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${'x'.repeat(20_480)}` }),
  ]
  for (const body of refused) assertError(await put(body), 400, 'MalformedPolicy')
  assertError(await at.s3.send({ path: `/${bucket}?policy=` }), 404, 'NoSuchBucketPolicy')
  assert.equal((await put(policyText(bucket, { Action: 's3:*', Resource: 'arn:aws:s3:::*' }))).status, 204)
})

test('nobody of another account handles a policy, whatever it grants', async () => {
  const bucket = await openBucket(at)
  await putPolicy(at.s3, bucket, { Action: 's3:*' })
  const path = `/${bucket}?policy=`
  assertError(await at.other.send({ path }), 405, 'MethodNotAllowed')
  assertError(await at.other.send({ method: 'DELETE', path }), 405, 'MethodNotAllowed')
  const body = policyText(bucket, { Action: 's3:*' })
  assertError(await at.other.send({ method: 'PUT', path, body }), 405, 'MethodNotAllowed')
})

test('BlockPublicPolicy refuses public policies, and takes others', async () => {
  const bucket = await openBucket(at)
  const block =
    '<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>'
  const blocked = await at.s3.send({ method: 'PUT', path: `/${bucket}?publicAccessBlock=`, body: block })
  assert.equal(blocked.status, 200, blocked.text)
  const put = (body: string) => at.s3.send({ method: 'PUT', path: `/${bucket}?policy=`, body })
  assertError(await put(policyText(bucket, { Action: 's3:GetObject' })), 403, 'AccessDenied')
  const fixed = { AWS: 'arn:aws:iam::123456789012:root' }
  assert.equal((await put(policyText(bucket, { Principal: fixed, Action: 's3:GetObject' }))).status, 204)
  const inside = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }
  assert.equal((await put(policyText(bucket, { Action: 's3:*', Condition: inside }))).status, 204)
})
