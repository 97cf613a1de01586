import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, md5Hex, putObject, putVersion, setVersioning, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('DeleteObject succeeds whether there was an object or not', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`)
  for (let round = 0; round < 2; round++) {
    const answer = await at.s3.send({ method: 'DELETE', path: `/${bucket}/k` })
    assert.deepEqual([answer.status, answer.bytes.length], [204, 0])
  }
  assertError(await at.s3.send({ path: `/${bucket}/k` }), 404, 'NoSuchKey')
})

test('DeleteObject deletes on a condition only what matches it', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'x')
  const remove = (headers: Record<string, string>) => at.s3.send({ method: 'DELETE', path, headers })
  const modified = (await at.s3.send({ method: 'HEAD', path })).headers['last-modified'] ?? ''
  const wrong: Record<string, string>[] = [
    { 'if-match': '"abc"' },
    { 'x-amz-if-match-size': '2' },
    { 'x-amz-if-match-last-modified-time': 'Sat, 01 Jan 2000 00:00:00 GMT' },
    { 'if-match': '*', 'x-amz-if-match-size': '2' },
  ]
  for (const headers of wrong) assertError(await remove(headers), 412, 'PreconditionFailed')
  for (const [name, value] of [
    ['x-amz-if-match-size', 'one'],
    ['x-amz-if-match-last-modified-time', 'yesterday'],
  ] as const) {
    assertError(await remove({ [name]: value }), 400, 'InvalidArgument')
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 200)
  const right = {
    'if-match': `"${md5Hex('x')}"`,
    'x-amz-if-match-size': '1',
    'x-amz-if-match-last-modified-time': modified,
  }
  assert.equal((await remove(right)).status, 204)
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  // AWS, DeleteObject: what does not exist need not be deleted, whatever the condition.
  for (const headers of [...wrong, right]) assert.equal((await remove(headers)).status, 204)
})

test('DeleteObject is for the owner, and refuses version ids that are none', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`)
  assertError(await at.other.send({ method: 'DELETE', path: `/${bucket}/k` }), 403, 'AccessDenied')
  const version = await at.s3.send({ method: 'DELETE', path: `/${bucket}/k?versionId=abc` })
  assertError(version, 400, 'InvalidArgument')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })).status, 200)
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${bucket}/k?versionId=null` })).status, 204)
  assertError(await at.s3.send({ path: `/${bucket}/k` }), 404, 'NoSuchKey')
})

test('DeleteObject makes a marker where versioning is enabled, and removes versions by their id', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  const remove = (query = '') => at.s3.send({ method: 'DELETE', path: `${path}${query}` })
  const [first, second] = [await putVersion(at.s3, path, '1'), await putVersion(at.s3, path, '2')]
  const deleted = await remove()
  assert.deepEqual([deleted.status, deleted.headers['x-amz-delete-marker']], [204, 'true'])
  const marker = versionOf(deleted)
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  assert.equal((await at.s3.send({ path: `${path}?versionId=${second}` })).text, '2')

  const unmarked = await remove(`?versionId=${marker}`)
  assert.deepEqual(
    [unmarked.status, unmarked.headers['x-amz-delete-marker'], versionOf(unmarked)],
    [204, 'true', marker],
  )
  assert.equal((await at.s3.send({ path })).text, '2')

  const gone = await remove(`?versionId=${second}`)
  assert.deepEqual([gone.status, gone.headers['x-amz-delete-marker']], [204, undefined])
  assert.equal(versionOf(gone), second)
  assert.equal((await at.s3.send({ path })).text, '1')
  assert.equal((await remove(`?versionId=${second}`)).status, 204)
  assert.equal((await remove(`?versionId=${first}`)).status, 204)
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  assert.equal((await at.s3.send({ path })).headers['x-amz-delete-marker'], undefined)
})

test('DeleteObject marks a key that never existed, again and again', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/never`
  const ids = new Set<string>()
  for (let round = 0; round < 3; round++) ids.add(versionOf(await at.s3.send({ method: 'DELETE', path })))
  assert.equal(ids.size, 3)
  const { text } = await at.s3.send({ path: `/${bucket}?versions` })
  assert.equal(text.match(/<DeleteMarker>/g)?.length, 3)
})

test('DeleteObject replaces the null version by a null marker where versioning is suspended', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  const kept = await putVersion(at.s3, path, 'kept')
  await setVersioning(at.s3, bucket, 'Suspended')
  await putObject(at.s3, path, 'null')
  for (let round = 0; round < 2; round++) {
    const deleted = await at.s3.send({ method: 'DELETE', path })
    assert.deepEqual([versionOf(deleted), deleted.headers['x-amz-delete-marker']], ['null', 'true'])
  }
  assert.equal((await at.s3.send({ path: `${path}?versionId=${kept}` })).text, 'kept')
  const { text } = await at.s3.send({ path: `/${bucket}?versions` })
  assert.equal(text.match(/<DeleteMarker>/g)?.length, 1)
  assert.equal(text.match(/<Version>/g)?.length, 1)
  assert.equal((await at.s3.send({ method: 'DELETE', path: `${path}?versionId=null` })).status, 204)
  assert.equal((await at.s3.send({ path })).text, 'kept')
})

test('DeleteObject judges conditions on the current version or on the one that is named', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  const remove = (query: string, headers: Record<string, string>) =>
    at.s3.send({ method: 'DELETE', path: `${path}${query}`, headers })
  const first = await putVersion(at.s3, path, 'one')
  await putVersion(at.s3, path, 'second')
  const etagOfFirst = { 'if-match': `"${md5Hex('one')}"` }
  assertError(await remove('', etagOfFirst), 412, 'PreconditionFailed')
  assertError(await remove('', { 'x-amz-if-match-size': '3' }), 412, 'PreconditionFailed')
  const named = `?versionId=${first}`
  assertError(await remove(named, { 'if-match': `"${md5Hex('second')}"` }), 412, 'PreconditionFailed')
  assert.equal((await remove(named, etagOfFirst)).status, 204)
  assert.equal((await remove(named, { 'if-match': '"any"' })).status, 204)
  const marked = await remove('', { 'if-match': '*' })
  assert.equal(marked.headers['x-amz-delete-marker'], 'true')
  assertError(await remove('', etagOfFirst), 412, 'PreconditionFailed')
  assertError(await remove('', { 'x-amz-if-match-size': '3' }), 412, 'PreconditionFailed')
  const { text } = await at.s3.send({ path: `/${bucket}?versions` })
  assert.equal(text.match(/<DeleteMarker>/g)?.length, 1)
})
