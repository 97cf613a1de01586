import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, md5Hex, putObject, putVersion, setVersioning, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

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

test('CopyObject copies the version that is named, and says which it read and wrote', async () => {
  const source = await at.bucket({ versioning: 'Enabled' })
  const target = await at.bucket({ versioning: 'Enabled' })
  const first = await putVersion(at.s3, `/${source}/k`, 'first', { 'x-amz-meta-a': '1' })
  const second = await putVersion(at.s3, `/${source}/k`, 'second')
  const named = await copy(`/${target}/k`, `/${source}/k?versionId=${first}`)
  assert.equal(named.status, 200, named.text)
  assert.equal(named.headers['x-amz-copy-source-version-id'], first)
  const got = await at.s3.send({ path: `/${target}/k` })
  assert.deepEqual([got.text, got.headers['x-amz-meta-a'], versionOf(got)], ['first', '1', versionOf(named)])
  const newest = await copy(`/${target}/k`, `/${source}/k`)
  assert.equal(newest.headers['x-amz-copy-source-version-id'], second)
  assertError(await copy(`/${target}/k`, `/${source}/k?versionId=${'0'.repeat(32)}`), 404, 'NoSuchVersion')
  const plain = await at.bucket()
  const unversioned = await copy(`/${plain}/k`, `/${source}/k`)
  assert.equal(unversioned.headers['x-amz-version-id'], undefined)
})

test('CopyObject restores an older version onto its own key, and refuses delete markers', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  const first = await putVersion(at.s3, path, 'first')
  await putVersion(at.s3, path, 'second')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await copy(`/${bucket}/copy`, path), 404, 'NoSuchKey')
  assertError(await copy(path, `${path}?versionId=${marker}`), 400, 'InvalidRequest')
  const restored = await copy(path, `${path}?versionId=${first}`)
  assert.equal(restored.status, 200, restored.text)
  assert.notEqual(versionOf(restored), first)
  assert.equal((await at.s3.send({ path })).text, 'first')
  const { text } = await at.s3.send({ path: `/${bucket}?versions` })
  assert.equal(text.match(/<Version>/g)?.length, 3)
})

test('CopyObject writes the null version where versioning is suspended', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  await putVersion(at.s3, `/${bucket}/k`, 'kept')
  await setVersioning(at.s3, bucket, 'Suspended')
  const copied = await copy(`/${bucket}/copy`, `/${bucket}/k`)
  assert.deepEqual([copied.status, copied.headers['x-amz-version-id']], [200, undefined])
  assert.equal(versionOf(await at.s3.send({ path: `/${bucket}/copy` })), 'null')
})

test('CopyObject takes tags along, or the ones that it is given', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'x', { 'x-amz-tagging': 'a=1&b=2' })
  const tagsOf = async (key: string) => {
    const { text } = await at.s3.send({ path: `/${bucket}/${key}?tagging` })
    return tags(text, 'Key')
  }
  assert.equal((await copy(`/${bucket}/same`, `/${bucket}/k`)).status, 200)
  assert.deepEqual(await tagsOf('same'), ['a', 'b'])
  const replace = { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'c=3' }
  assert.equal((await copy(`/${bucket}/other`, `/${bucket}/k`, replace)).status, 200)
  assert.deepEqual(await tagsOf('other'), ['c'])
  assert.equal(
    (await copy(`/${bucket}/none`, `/${bucket}/k`, { 'x-amz-tagging-directive': 'REPLACE' })).status,
    200,
  )
  assert.deepEqual(await tagsOf('none'), [])
  const odd = await copy(`/${bucket}/odd`, `/${bucket}/k`, { 'x-amz-tagging-directive': 'MERGE' })
  assertError(odd, 400, 'InvalidArgument')
  // AWS ignores tags that the directive does not ask for.
  assert.equal((await copy(`/${bucket}/kept`, `/${bucket}/k`, { 'x-amz-tagging': 'c=3' })).status, 200)
  assert.deepEqual(await tagsOf('kept'), ['a', 'b'])
})
