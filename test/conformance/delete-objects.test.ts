import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, md5Hex, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

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
