import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, md5Hex, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function copy(to: string, from: string, headers: Record<string, string> = {}) {
  return at.s3.send({ method: 'PUT', path: to, headers: { 'x-amz-copy-source': from, ...headers } })
}

test('CopyObject copies bytes and metadata', async () => {
  const [source, target] = [await at.bucket(), await at.bucket()]
  await putObject(at.s3, `/${source}/a%20b/%C3%BC%2B`, 'hello', {
    'x-amz-meta-a': 'b',
    'content-type': 'text/x',
  })
  const answer = await copy(`/${target}/copy`, `/${source}/a%20b/%C3%BC%2B`)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(tag(answer.text, 'ETag'), `&quot;${md5Hex('hello')}&quot;`)
  assert.ok(tag(answer.text, 'LastModified'))
  const got = await at.s3.send({ path: `/${target}/copy` })
  assert.deepEqual(
    [got.text, got.headers['x-amz-meta-a'], got.headers['content-type']],
    ['hello', 'b', 'text/x'],
  )
  assert.equal((await copy(`/${target}/copy2`, `${source}/a%20b/%C3%BC%2B?versionId=null`)).status, 200)
})

test('CopyObject replaces metadata when told to', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'hello', { 'x-amz-meta-a': 'b' })
  const headers = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-c': 'd', 'content-type': 'text/y' }
  assert.equal((await copy(`/${bucket}/k`, `/${bucket}/k`, headers)).status, 200)
  const got = await at.s3.send({ path: `/${bucket}/k` })
  assert.equal(got.text, 'hello')
  assert.deepEqual([got.headers['x-amz-meta-a'], got.headers['x-amz-meta-c']], [undefined, 'd'])
  assert.equal(got.headers['content-type'], 'text/y')
  const unknown = await copy(`/${bucket}/k`, `/${bucket}/k`, { 'x-amz-metadata-directive': 'MERGE' })
  assertError(unknown, 400, 'InvalidArgument')
})

test('CopyObject onto itself must change something', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'hello')
  assertError(await copy(`/${bucket}/k`, `/${bucket}/k`), 400, 'InvalidRequest')
})

test('CopyObject obeys conditions on the source and on the target', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'hello')
  const etag = `"${md5Hex('hello')}"`
  const past = 'Sat, 01 Jan 2000 00:00:00 GMT'
  const verdict = async (headers: Record<string, string>) =>
    (await copy(`/${bucket}/t`, `/${bucket}/k`, headers)).status
  assert.equal(await verdict({ 'x-amz-copy-source-if-match': '"x"' }), 412)
  assert.equal(await verdict({ 'x-amz-copy-source-if-none-match': etag }), 412)
  assert.equal(await verdict({ 'x-amz-copy-source-if-unmodified-since': past }), 412)
  assert.equal(await verdict({ 'x-amz-copy-source-if-modified-since': 'Tue, 19 Jan 2038 00:00:00 GMT' }), 412)
  const both = { 'x-amz-copy-source-if-match': etag, 'x-amz-copy-source-if-unmodified-since': past }
  assert.equal(await verdict({ ...both, 'if-none-match': '*' }), 200)
  assert.equal(await verdict({ 'if-none-match': '*' }), 412)
})

test('CopyObject reads only what the caller may read', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/secret`)
  const theirs = `${bucket}-o`
  assert.equal((await at.other.send({ method: 'PUT', path: `/${theirs}` })).status, 200)
  const headers = { 'x-amz-copy-source': `/${bucket}/secret` }
  assertError(await at.other.send({ method: 'PUT', path: `/${theirs}/k`, headers }), 403, 'AccessDenied')
  assert.equal((await at.other.send({ method: 'HEAD', path: `/${theirs}/k` })).status, 404)
  const owner = { 'x-amz-source-expected-bucket-owner': '111122223333' }
  assertError(await copy(`/${bucket}/t`, `/${bucket}/secret`, owner), 403, 'AccessDenied')
})

test('CopyObject of nothing, and from nowhere', async () => {
  const bucket = await at.bucket()
  assertError(await copy(`/${bucket}/t`, `/${bucket}/none`), 404, 'NoSuchKey')
  assertError(await copy(`/${bucket}/t`, `/${bucket}-none/k`), 404, 'NoSuchBucket')
  for (const source of ['', 'bucket', '/', `/${bucket}/`, `/${bucket}/%ff`, `/${bucket}/k?versionId=abc`]) {
    assertError(await copy(`/${bucket}/t`, source), 400, 'InvalidArgument')
  }
  await putObject(at.s3, `/${bucket}/empty`, '')
  assert.equal((await copy(`/${bucket}/t`, `/${bucket}/empty`)).status, 200)
})

test('CopyObject computes the checksum that it is asked for', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, '123456789')
  const answer = await copy(`/${bucket}/t`, `/${bucket}/k`, { 'x-amz-checksum-algorithm': 'CRC32' })
  assert.equal(tag(answer.text, 'ChecksumCRC32'), 'y/Q5Jg==')
})

test('CopyObject gives a copy a website redirect of its own, never that of the source', async () => {
  const bucket = await at.bucket()
  const header = 'x-amz-website-redirect-location'
  await putObject(at.s3, `/${bucket}/k`, 'hello', { [header]: '/there', 'x-amz-meta-a': 'b' })
  const redirectOf = async (key: string) => (await at.s3.send({ path: `/${bucket}/${key}` })).headers[header]
  assert.equal((await copy(`/${bucket}/without`, `/${bucket}/k`)).status, 200)
  assert.equal(await redirectOf('without'), undefined)
  assert.equal((await copy(`/${bucket}/with`, `/${bucket}/k`, { [header]: '/else' })).status, 200)
  assert.equal(await redirectOf('with'), '/else')
  assert.equal((await copy(`/${bucket}/k`, `/${bucket}/k`, { [header]: '/new' })).status, 200)
  assert.equal(await redirectOf('k'), '/new')
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).headers['x-amz-meta-a'], 'b')
})
