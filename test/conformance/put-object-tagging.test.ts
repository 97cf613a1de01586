import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function document(set: Readonly<Record<string, string>>): string {
  const markup = Object.entries(set).map(
    ([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`,
  )
  return `<Tagging><TagSet>${markup.join('')}</TagSet></Tagging>`
}

function put(path: string, body: string, query = '') {
  const headers = { 'content-md5': contentMd5(body) }
  return at.s3.send({ method: 'PUT', path: `${path}?tagging${query}`, body, headers })
}

async function read(path: string, query = ''): Promise<Record<string, string>> {
  const { text } = await at.s3.send({ path: `${path}?tagging${query}` })
  const values = tags(text, 'Value')
  return Object.fromEntries(tags(text, 'Key').map((key, index) => [key, values[index] ?? '']))
}

test('PutObjectTagging replaces all tags, and leaves bytes, ETag and date as they are', async () => {
  const path = `/${await at.bucket()}/k`
  await putObject(at.s3, path, 'x', { 'x-amz-tagging': 'old=1' })
  const before = await at.s3.send({ path })
  assert.equal((await put(path, document({ b: '2', a: 'ü &amp; x'.replace('&amp; ', '') }))).status, 200)
  assert.deepEqual(await read(path), { b: '2', a: 'ü x' })
  const later = await at.s3.send({ path })
  for (const name of ['etag', 'last-modified']) assert.equal(later.headers[name], before.headers[name])
  assert.deepEqual([later.text, later.headers['x-amz-tagging-count']], ['x', '2'])
  assert.equal((await put(path, document({}))).status, 200)
  assert.deepEqual(await read(path), {})
  assert.equal((await at.s3.send({ path })).headers['x-amz-tagging-count'], undefined)
})

test('PutObjectTagging tags the version that is named', async () => {
  const path = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  const first = await putVersion(at.s3, path, '1')
  const second = await putVersion(at.s3, path, '2')
  const named = await put(path, document({ a: '1' }), `&versionId=${first}`)
  assert.deepEqual([named.status, versionOf(named)], [200, first])
  assert.equal(versionOf(await put(path, document({ b: '2' }))), second)
  assert.deepEqual(await read(path, `&versionId=${first}`), { a: '1' })
  assert.deepEqual(await read(path), { b: '2' })
  assertError(await put(path, document({}), `&versionId=${'0'.repeat(32)}`), 404, 'NoSuchVersion')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await put(path, document({})), 405, 'MethodNotAllowed')
  assertError(await put(path, document({}), `&versionId=${marker}`), 405, 'MethodNotAllowed')
})

test('PutObjectTagging refuses what are no tags, keys that are not there, and strangers', async () => {
  const path = `/${await at.bucket()}/k`
  assertError(await put(path, document({ a: '1' })), 404, 'NoSuchKey')
  await putObject(at.s3, path)
  assertError(await put(path, '<Tagging/>'), 400, 'MalformedXML')
  const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`k${index}`, 'v']))
  assertError(await put(path, document(eleven)), 400, 'InvalidTag')
  assertError(await put(path, document({ 'aws:a': '1' })), 400, 'InvalidTag')
  const body = document({ a: '1' })
  assertError(await at.other.send({ method: 'PUT', path: `${path}?tagging`, body }), 403, 'AccessDenied')
  assert.deepEqual(await read(path), {})
  assert.equal(tag((await at.s3.send({ path: `${path}?tagging` })).text, 'TagSet'), '')
})
