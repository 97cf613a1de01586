import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, md5Hex, putObject, putVersion } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function removal(objects: readonly string[], quiet = false): string {
  return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>${quiet}</Quiet>${objects.map((object) => `<Object>${object}</Object>`).join('')}</Delete>`
}

function send(
  bucket: string,
  body: string,
  headers: Record<string, string> = { 'content-md5': contentMd5(body) },
) {
  return at.s3.send({ method: 'POST', path: `/${bucket}?delete=`, body, headers })
}

test('DeleteObjects deletes what is there and reports every key', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/a%26b%20%C3%BC`)
  await putObject(at.s3, `/${bucket}/kept`)
  const answer = await send(bucket, removal(['<Key>a&amp;b ü</Key>', '<Key>never</Key>']))
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(tags(answer.text, 'Key'), ['a&amp;b ü', 'never'])
  assert.deepEqual(tags(answer.text, 'Code'), [])
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/a%26b%20%C3%BC` })).status, 404)
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/kept` })).status, 200)
})

test('DeleteObjects in quiet mode reports errors only', async () => {
  const bucket = await at.bucket()
  const objects = ['<Key>a</Key>', `<Key>${'k'.repeat(1025)}</Key>`, '<Key>b</Key><VersionId>x</VersionId>']
  const answer = await send(bucket, removal(objects, true))
  assert.deepEqual(tags(answer.text, 'Code'), ['KeyTooLongError', 'InvalidArgument'])
  assert.ok(!answer.text.includes('<Deleted>'))
})

test('DeleteObjects honours an ETag a key', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/a`, 'a')
  await putObject(at.s3, `/${bucket}/b`, 'b')
  const objects = ['<Key>a</Key><ETag>&quot;other&quot;</ETag>', `<Key>b</Key><ETag>"${md5Hex('b')}"</ETag>`]
  const answer = await send(bucket, removal(objects))
  assert.deepEqual(tags(answer.text, 'Code'), ['PreconditionFailed'])
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/a` })).status, 200)
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/b` })).status, 404)
})

test('DeleteObjects demands a digest of its body that matches', async () => {
  const bucket = await at.bucket()
  const body = removal(['<Key>a</Key>'])
  assertError(await send(bucket, body, {}), 400, 'InvalidRequest')
  assertError(await send(bucket, body, { 'content-md5': contentMd5('other') }), 400, 'BadDigest')
  assertError(await send(bucket, body, { 'x-amz-checksum-crc32': 'AAAAAA==' }), 400, 'BadDigest')
})

test('DeleteObjects takes 1 to 1,000 keys of well-formed XML', async () => {
  const bucket = await at.bucket()
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `<Key>k${index}</Key>`)
  assert.equal((await send(bucket, removal(keys(1000), true))).status, 200)
  assertError(await send(bucket, removal(keys(1001))), 400, 'MalformedXML')
  assertError(await send(bucket, removal([])), 400, 'MalformedXML')
  assertError(await send(bucket, '<Delete><Object>'), 400, 'MalformedXML')
  assertError(await send(bucket, '<!DOCTYPE x><Delete/>'), 400, 'MalformedXML')
})

test('DeleteObjects decides about each key by itself', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/a`)
  const body = removal(['<Key>a</Key>', '<Key>b</Key>'])
  const headers = { 'content-md5': contentMd5(body) }
  const denied = await at.other.send({ method: 'POST', path: `/${bucket}?delete=`, body, headers })
  assert.equal(denied.status, 200, denied.text)
  assert.equal(denied.text.match(/<Code>AccessDenied<\/Code>/g)?.length, 2, denied.text)
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/a` })).status, 200)
})

/** The `Deleted` and `Error` elements of an answer, in order. */
function outcomes(text: string): string[] {
  return [...text.matchAll(/<(Deleted|Error)>(.*?)<\/\1>/gs)].map((match) => match[0])
}

test('DeleteObjects marks keys and removes versions, and says which of both', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const first = await putVersion(at.s3, `/${bucket}/a`, '1')
  await putVersion(at.s3, `/${bucket}/a`, '2')
  const answer = await send(bucket, removal(['<Key>a</Key>', `<Key>a</Key><VersionId>${first}</VersionId>`]))
  const [marked = '', removed = ''] = outcomes(answer.text)
  assert.equal(tag(marked, 'DeleteMarker'), 'true')
  assert.equal(tag(marked, 'VersionId'), undefined)
  assert.deepEqual([tag(removed, 'VersionId'), tag(removed, 'DeleteMarker')], [first, undefined])
  const marker = tag(marked, 'DeleteMarkerVersionId') ?? ''
  assert.match(marker, /^[0-9a-f]{32}$/)
  const unmark = await send(bucket, removal([`<Key>a</Key><VersionId>${marker}</VersionId>`]))
  assert.deepEqual(
    ['VersionId', 'DeleteMarker', 'DeleteMarkerVersionId'].map((name) => tag(unmark.text, name)),
    [marker, 'true', marker],
  )
  assert.equal((await at.s3.send({ path: `/${bucket}/a` })).text, '2')
  const again = await send(bucket, removal([`<Key>a</Key><VersionId>${first}</VersionId>`]))
  assert.deepEqual(tags(again.text, 'Code'), [])
})

test('DeleteObjects judges ETag, Size and LastModifiedTime of each entry', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'x')
  const modified = (await at.s3.send({ method: 'HEAD', path })).headers['last-modified'] ?? ''
  const entry = (condition: string) => removal([`<Key>k</Key>${condition}`])
  const wrong = [
    '<Size>2</Size>',
    '<LastModifiedTime>Sat, 01 Jan 2000 00:00:00 GMT</LastModifiedTime>',
    '<LastModifiedTime>2000-01-01T00:00:00Z</LastModifiedTime>',
    '<ETag>*</ETag><Size>0</Size>',
  ]
  for (const condition of wrong) {
    assert.deepEqual(tags((await send(bucket, entry(condition))).text, 'Code'), ['PreconditionFailed'])
  }
  for (const condition of ['<Size>many</Size>', '<LastModifiedTime>soon</LastModifiedTime>']) {
    assertError(await send(bucket, entry(condition)), 400, 'MalformedXML')
  }
  const right = `<ETag>${md5Hex('x')}</ETag><Size>1</Size><LastModifiedTime>${modified}</LastModifiedTime>`
  const answer = await send(bucket, entry(right))
  assert.deepEqual([tags(answer.text, 'Code'), tags(answer.text, 'Key')], [[], ['k']])
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
  for (const condition of wrong) {
    assert.deepEqual(tags((await send(bucket, entry(condition))).text, 'Code'), [], 'what is not there')
  }
})
