import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { assertError, createUpload, md5Hex, partBytes, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const all = 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize'

function ask(path: string, attributes: string | undefined, headers: Record<string, string> = {}) {
  return at.s3.send({
    path: `${path}?attributes`,
    headers: { ...headers, ...(attributes === undefined ? {} : { 'x-amz-object-attributes': attributes }) },
  })
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}

const bodies = [Buffer.alloc(partBytes, 'a'), Buffer.alloc(partBytes, 'b'), Buffer.from('tail')]

/** An object of three parts, numbered 2, 4, 6; returns what completing answered. */
async function putInParts(path: string): Promise<string> {
  const uploadId = await createUpload(at.s3, path, { 'x-amz-checksum-algorithm': 'SHA256' })
  const listed: string[] = []
  for (const [index, body] of bodies.entries()) {
    const query = `partNumber=${index * 2 + 2}&uploadId=${uploadId}`
    const put = await at.s3.send({ method: 'PUT', path: `${path}?${query}`, body })
    const sum = put.headers['x-amz-checksum-sha256']
    assert.equal(sum, sha256(body).toString('base64'))
    listed.push(
      `<Part><PartNumber>${index * 2 + 2}</PartNumber><ETag>${put.headers.etag}</ETag><ChecksumSHA256>${sum}</ChecksumSHA256></Part>`,
    )
  }
  const done = await at.s3.send({
    method: 'POST',
    path: `${path}?uploadId=${uploadId}`,
    body: `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`,
  })
  assert.equal(done.status, 200, done.text)
  return done.text
}

test('GetObjectAttributes answers what was asked of an object put whole, and nothing of parts', async () => {
  const path = `/${await at.bucket()}/k`
  await putObject(at.s3, path, 'content', { 'x-amz-checksum-sha256': sha256('content').toString('base64') })
  const got = await ask(path, all)
  assert.equal(got.status, 200, got.text)
  assert.match(got.text, /<GetObjectAttributesResponse xmlns=/)
  assert.equal(tag(got.text, 'ETag'), md5Hex('content'))
  assert.equal(tag(got.text, 'ChecksumSHA256'), sha256('content').toString('base64'))
  assert.equal(tag(got.text, 'ChecksumType'), 'FULL_OBJECT')
  assert.equal(tag(got.text, 'StorageClass'), 'STANDARD')
  assert.equal(tag(got.text, 'ObjectSize'), '7')
  assert.equal(tag(got.text, 'ObjectParts'), undefined)
  assert.ok(Date.parse(got.headers['last-modified'] ?? '') > 0)
  const some = await ask(path, ' ObjectSize , ETag')
  assert.deepEqual([tag(some.text, 'ObjectSize'), tag(some.text, 'ETag')], ['7', md5Hex('content')])
  assert.equal(tag(some.text, 'Checksum'), undefined)
})

test('GetObjectAttributes pages through the parts of an object', async () => {
  const path = `/${await at.bucket()}/k`
  const done = await putInParts(path)
  const whole = await ask(path, all)
  assert.equal(tag(whole.text, 'ChecksumSHA256'), tag(done, 'ChecksumSHA256'))
  assert.match(tag(whole.text, 'ChecksumSHA256') ?? '', /=-3$/)
  assert.equal(tag(whole.text, 'ChecksumType'), 'COMPOSITE')
  assert.deepEqual(tags(whole.text, 'PartNumber'), ['2', '4', '6'])
  assert.deepEqual(tags(whole.text, 'Size'), [String(partBytes), String(partBytes), '4'])
  assert.deepEqual(
    tags(whole.text, 'ChecksumSHA256').slice(1),
    bodies.map((body) => sha256(body).toString('base64')),
  )
  assert.equal(tag(whole.text, 'PartsCount'), '3')
  assert.equal(tag(whole.text, 'IsTruncated'), 'false')

  const page = await ask(path, 'ObjectParts', { 'x-amz-max-parts': '1', 'x-amz-part-number-marker': '2' })
  assert.deepEqual(tags(page.text, 'PartNumber'), ['4'])
  const fields = ['PartsCount', 'PartNumberMarker', 'NextPartNumberMarker', 'MaxParts', 'IsTruncated']
  assert.deepEqual(
    fields.map((name) => tag(page.text, name)),
    ['3', '2', '4', '1', 'true'],
  )
  const last = await ask(path, 'ObjectParts', { 'x-amz-part-number-marker': '4' })
  assert.deepEqual([tags(last.text, 'PartNumber'), tag(last.text, 'IsTruncated')], [['6'], 'false'])
})

test('a part that is read has its own checksum under the type of its object', async () => {
  const path = `/${await at.bucket()}/k`
  await putInParts(path)
  const mode = { 'x-amz-checksum-mode': 'ENABLED' }
  const part = await at.s3.send({ path: `${path}?partNumber=6`, headers: mode })
  assert.deepEqual([part.status, part.text], [206, 'tail'])
  assert.equal(part.headers['x-amz-checksum-sha256'], sha256('tail').toString('base64'))
  assert.equal(part.headers['x-amz-checksum-type'], 'COMPOSITE')
  const range = await at.s3.send({ path, headers: { ...mode, range: 'bytes=0-3' } })
  assert.equal(range.headers['x-amz-checksum-sha256'], undefined)
  const whole = `${path}-whole`
  const put = await putObject(at.s3, whole, 'x')
  const first = await at.s3.send({ method: 'HEAD', path: `${whole}?partNumber=1`, headers: mode })
  assert.equal(first.headers['x-amz-checksum-crc64nvme'], put.headers['x-amz-checksum-crc64nvme'])
})

test('GetObjectAttributes refuses what it cannot answer', async () => {
  const path = `/${await at.bucket()}/k`
  assertError(await ask(path, all), 404, 'NoSuchKey')
  await putObject(at.s3, path, 'x')
  assertError(await ask(path, undefined), 400, 'InvalidRequest')
  assertError(await ask(path, ''), 400, 'InvalidRequest')
  assertError(await ask(path, 'ETag,Colour'), 400, 'InvalidArgument')
  assertError(await ask(path, 'ObjectParts', { 'x-amz-max-parts': '-1' }), 400, 'InvalidArgument')
  assertError(await ask(path, 'ObjectParts', { 'x-amz-part-number-marker': 'x' }), 400, 'InvalidArgument')
  const foreign = await at.other.send({
    path: `${path}?attributes`,
    headers: { 'x-amz-object-attributes': all },
  })
  assertError(foreign, 403, 'AccessDenied')
})

test('GetObjectAttributes describes the version that is named, and no delete marker', async () => {
  const path = `/${await at.bucket({ versioning: 'Enabled' })}/k`
  const first = await putVersion(at.s3, path, 'first')
  const second = await putVersion(at.s3, path, '2')
  const sizeOf = async (query: string) => {
    const headers = { 'x-amz-object-attributes': 'ObjectSize' }
    const answer = await at.s3.send({ path: `${path}?attributes${query}`, headers })
    return [tag(answer.text, 'ObjectSize'), versionOf(answer)]
  }
  assert.deepEqual(await sizeOf(''), ['1', second])
  assert.deepEqual(await sizeOf(`&versionId=${first}`), ['5', first])
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  const headers = { 'x-amz-object-attributes': 'ObjectSize' }
  assertError(await at.s3.send({ path: `${path}?attributes`, headers }), 404, 'NoSuchKey')
  const named = await at.s3.send({ path: `${path}?attributes&versionId=${marker}`, headers })
  assertError(named, 405, 'MethodNotAllowed')
  assert.equal(named.headers['x-amz-delete-marker'], 'true')
})
