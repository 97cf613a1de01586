import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { awsBucketDefaults } from '../../gateway/bucket-defaults.ts'
import { assertError, contentMd5, md5Hex, putObject, putVersion, setVersioning } from './ask.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('PutObject answers with the ETag and the CRC64NVME that AWS would compute', async () => {
  const bucket = await at.bucket()
  const put = await putObject(at.s3, `/${bucket}/k`, '123456789')
  assert.equal(put.headers.etag, `"${md5Hex('123456789')}"`)
  assert.equal(put.headers['x-amz-checksum-crc64nvme'], 'rosUhgp5mIg=')
  assert.equal(put.headers['x-amz-checksum-type'], 'FULL_OBJECT')
  assert.equal(put.headers['x-amz-server-side-encryption'], 'AES256')
  assert.equal(put.bytes.length, 0)
})

test('PutObject verifies Content-MD5 and every checksum before it stores anything', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const put = (headers: Record<string, string>) =>
    at.s3.send({ method: 'PUT', path, body: '123456789', headers })
  const good: Record<string, string> = {
    'x-amz-checksum-crc32': 'y/Q5Jg==',
    'x-amz-checksum-crc32c': '4waSgw==',
    'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=',
    'x-amz-checksum-sha1': createHash('sha1').update('123456789').digest('base64'),
    'x-amz-checksum-sha256': createHash('sha256').update('123456789').digest('base64'),
  }
  for (const [name, value] of Object.entries(good)) {
    const flipped = Buffer.from(value, 'base64')
    flipped[0] = (flipped[0] ?? 0) ^ 1
    assertError(await put({ [name]: flipped.toString('base64') }), 400, 'BadDigest')
    assertError(await put({ [name]: 'nonsense' }), 400, 'BadDigest')
  }
  assertError(await put({ 'content-md5': contentMd5('other') }), 400, 'BadDigest')
  assertError(await put({ 'content-md5': 'nonsense' }), 400, 'InvalidDigest')
  assertError(
    await at.s3.send({ method: 'PUT', path, body: '123456789', payload: '0'.repeat(64) }),
    400,
    'XAmzContentSHA256Mismatch',
  )
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
  for (const [name, value] of Object.entries(good)) {
    const answer = await put({ [name]: value })
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers[name], value)
    const head = await at.s3.send({ method: 'HEAD', path, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    assert.equal(head.headers[name], value)
  }
  assert.equal((await put({ 'content-md5': contentMd5('123456789') })).status, 200)
})

test('PutObject keeps metadata, byte for byte, and refuses more than 2 KiB of it', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const headers = {
    'cache-control': 'no-store',
    'content-disposition': 'attachment; filename="a.mp4"',
    'content-encoding': 'gzip',
    'content-language': 'de',
    'content-type': 'video/mp4',
    expires: 'Thu, 01 Dec 2099 16:00:00 GMT',
    'x-amz-meta-land': 'BY',
    'x-amz-meta-utf8': Buffer.from('Dienststelle Süd').toString('latin1'),
  }
  await putObject(at.s3, path, 'x', headers)
  const head = await at.s3.send({ method: 'HEAD', path })
  for (const [name, value] of Object.entries(headers)) assert.equal(head.headers[name], value, name)
  const large = { 'x-amz-meta-large': 'v'.repeat(2048) }
  assertError(await at.s3.send({ method: 'PUT', path, headers: large }), 400, 'MetadataTooLarge')
})

test('PutObject writes conditionally', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const put = (headers: Record<string, string>) => at.s3.send({ method: 'PUT', path, body: 'x', headers })
  assertError(await put({ 'if-match': '"abc"' }), 404, 'NoSuchKey')
  assert.equal((await put({ 'if-none-match': '*' })).status, 200)
  const refused = await put({ 'if-none-match': '*' })
  assertError(refused, 412, 'PreconditionFailed')
  assert.equal(tag(refused.text, 'Condition'), 'If-None-Match')
  assertError(await put({ 'if-match': '"abc"' }), 412, 'PreconditionFailed')
  assert.equal((await put({ 'if-match': `"${md5Hex('x')}"` })).status, 200)
  // AWS documents '*' only and refuses every other value; an ETag has the meaning of RFC 9110 here.
  assertError(await put({ 'if-none-match': `"${md5Hex('x')}"` }), 412, 'PreconditionFailed')
  assert.equal((await put({ 'if-none-match': '"abc"' })).status, 200)
  await at.s3.send({ method: 'DELETE', path: `/${bucket}/k` })
  assertError(await put({ 'if-match': '*' }), 404, 'NoSuchKey')
})

test('PutObject refuses what it would have to ignore, and stores nothing', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const refused: Record<string, string> = {
    'x-amz-write-offset-bytes': '0',
  }
  for (const [name, value] of Object.entries(refused)) {
    assertError(
      await at.s3.send({ method: 'PUT', path, body: 'x', headers: { [name]: value } }),
      501,
      'NotImplemented',
    )
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
  await putObject(at.s3, path, 'x', {
    'x-amz-acl': 'bucket-owner-full-control',
    'x-amz-server-side-encryption': 'AES256',
    'x-amz-storage-class': 'STANDARD',
  })
})

test('PutObject knows one storage class and refuses every other', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  for (const wanted of ['GLACIER', 'STANDARD_IA', 'standard', '']) {
    const headers = { 'x-amz-storage-class': wanted }
    const refused = await at.s3.send({ method: 'PUT', path, body: 'x', headers })
    assertError(refused, 400, 'InvalidStorageClass')
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
  await putObject(at.s3, path, 'x', { 'x-amz-storage-class': 'STANDARD' })
  assert.equal((await at.s3.send({ path })).headers['x-amz-storage-class'], undefined)
})

test('PutObject keeps where a website redirects to, and gives it back', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const header = 'x-amz-website-redirect-location'
  for (const location of ['/other', 'http://example.org/', 'https://example.org/a?b']) {
    await putObject(at.s3, path, 'x', { [header]: location })
    assert.equal((await at.s3.send({ path })).headers[header], location)
    assert.equal((await at.s3.send({ method: 'HEAD', path })).headers[header], location)
  }
  const headers = { [header]: 'ftp://example.org/' }
  assertError(await at.s3.send({ method: 'PUT', path, body: 'x', headers }), 400, 'InvalidRedirectLocation')
})

test('PutObject bounds keys, sizes and queries', async () => {
  const bucket = await at.bucket()
  assertError(
    await at.s3.send({ method: 'PUT', path: `/${bucket}/${'k'.repeat(1025)}` }),
    400,
    'KeyTooLongError',
  )
  await putObject(at.s3, `/${bucket}/${'k'.repeat(1024)}`, '')
  const tooLarge = { 'content-length': String(5 * 1024 ** 3 + 1), expect: '100-continue' }
  const answer = await at.s3.send({ method: 'PUT', path: `/${bucket}/k`, late: tooLarge })
  assertError(answer, 400, 'EntityTooLarge')
  assertError(await at.s3.send({ method: 'PUT', path: `/${bucket}/k?partNumber=1` }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ method: 'PUT', path: `/${bucket}-none/k` }), 404, 'NoSuchBucket')
  assertError(await at.other.send({ method: 'PUT', path: `/${bucket}/k` }), 403, 'AccessDenied')
})

test('PutObject replaces an object as a whole', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'first', { 'x-amz-meta-a': '1' })
  await putObject(at.s3, `/${bucket}/k`, 'second')
  const got = await at.s3.send({ path: `/${bucket}/k` })
  assert.equal(got.text, 'second')
  assert.equal(got.headers['x-amz-meta-a'], undefined)
})

test('PutObject keeps every version where versioning is enabled, and one null version where it is not', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const plain = await putObject(at.s3, path, 'off')
  assert.equal(plain.headers['x-amz-version-id'], undefined)
  await setVersioning(at.s3, bucket, 'Enabled')
  const ids = [await putVersion(at.s3, path, 'one'), await putVersion(at.s3, path, 'two')]
  assert.equal(new Set(ids).size, 2)
  assert.equal((await at.s3.send({ path: `${path}?versionId=null` })).text, 'off')
  await setVersioning(at.s3, bucket, 'Suspended')
  const suspended = await putObject(at.s3, path, 'suspended')
  assert.equal(suspended.headers['x-amz-version-id'], undefined)
  assert.equal((await at.s3.send({ path: `${path}?versionId=null` })).text, 'suspended')
  assert.equal((await at.s3.send({ path: `${path}?versionId=${ids[0]}` })).text, 'one')
})

test('PutObject judges conditions on the current version; a delete marker is none', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  const put = (headers: Record<string, string>) => at.s3.send({ method: 'PUT', path, body: 'x', headers })
  await putVersion(at.s3, path, 'older')
  await putVersion(at.s3, path, 'newer')
  assertError(await put({ 'if-match': `"${md5Hex('older')}"` }), 412, 'PreconditionFailed')
  assert.equal((await put({ 'if-match': `"${md5Hex('newer')}"` })).status, 200)
  await at.s3.send({ method: 'DELETE', path })
  assertError(await put({ 'if-match': `"${md5Hex('x')}"` }), 404, 'NoSuchKey')
  assert.equal((await put({ 'if-none-match': '*' })).status, 200)
})

test('PutObject keeps the tags of its header', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'x', { 'x-amz-tagging': 'case=4711&state=open%20now' })
  const { text } = await at.s3.send({ path: `${path}?tagging` })
  assert.deepEqual(
    [tags(text, 'Key'), tags(text, 'Value')],
    [
      ['case', 'state'],
      ['4711', 'open now'],
    ],
  )
  assert.equal((await at.s3.send({ path })).headers['x-amz-tagging-count'], '2')
  const bad = await at.s3.send({ method: 'PUT', path, body: 'y', headers: { 'x-amz-tagging': 'a=1&a=2' } })
  assertError(bad, 400, 'InvalidArgument')
  assert.equal((await at.s3.send({ path })).text, 'x')
})

test('PutObject protects what it writes, in a bucket with Object Lock only', async () => {
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const lock = {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': until,
    'x-amz-object-lock-legal-hold': 'ON',
  }
  const plain = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  const digest = { 'content-md5': contentMd5('x') }
  const put = (path: string, headers: Record<string, string>) =>
    at.s3.send({ method: 'PUT', path, body: 'x', headers })
  assertError(await put(plain, { ...lock, ...digest }), 400, 'InvalidRequest')
  const path = `/${await at.bucket({ objectLock: true })}/k`
  // AWS wants a digest with every protected upload.
  assertError(await put(path, lock), 400, 'InvalidRequest')
  for (const headers of [
    { ...lock, 'x-amz-object-lock-mode': 'governance' },
    { ...lock, 'x-amz-object-lock-retain-until-date': '2020-01-01T00:00:00Z' },
    { ...lock, 'x-amz-object-lock-legal-hold': 'on' },
    { 'x-amz-object-lock-mode': 'GOVERNANCE' },
  ]) {
    assertError(await put(path, { ...headers, ...digest }), 400, 'InvalidArgument')
  }
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  assert.equal((await put(path, { ...lock, ...digest })).status, 200)
  const { headers } = await at.s3.send({ method: 'HEAD', path })
  for (const [name, value] of Object.entries(lock)) assert.equal(headers[name], value)
})

test('PutObject with the list `private` passes for the owner where lists are off by default only', async () => {
  const gateway = await startLocalGateway({ bucketDefaults: awsBucketDefaults })
  try {
    const s3 = gateway.client()
    await s3.send({ method: 'PUT', path: '/enforced' })
    const put = (list: string) =>
      s3.send({ method: 'PUT', path: '/enforced/k', body: 'x', headers: { 'x-amz-acl': list } })
    assert.equal((await put('private')).status, 200)
    assert.equal((await put('bucket-owner-full-control')).status, 200)
    assertError(await put('public-read'), 400, 'AccessControlListNotSupported')
    const rule = '<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>'
    const body = `<OwnershipControls>${rule}</OwnershipControls>`
    assert.equal((await s3.send({ method: 'PUT', path: '/enforced?ownershipControls', body })).status, 200)
    assertError(await put('private'), 400, 'AccessControlListNotSupported')
  } finally {
    await gateway.close()
  }
})
