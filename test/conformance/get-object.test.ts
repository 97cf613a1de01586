import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  assertError,
  completeDocument,
  createUpload,
  md5Hex,
  partBytes,
  putObject,
  putPart,
  putVersion,
  setVersioning,
  versionOf,
} from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObject answers with the bytes and what describes them', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'hello', { 'content-type': 'text/plain' })
  const got = await at.s3.send({ path: `/${bucket}/k` })
  assert.equal(got.status, 200)
  assert.equal(got.text, 'hello')
  assert.equal(got.headers['content-length'], '5')
  assert.equal(got.headers['content-type'], 'text/plain')
  assert.equal(got.headers.etag, `"${md5Hex('hello')}"`)
  assert.equal(got.headers['accept-ranges'], 'bytes')
  assert.match(got.headers['last-modified'] ?? '', /GMT$/)
  assert.equal(got.headers['x-amz-checksum-crc64nvme'], undefined)
  const verified = await at.s3.send({ path: `/${bucket}/k`, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  assert.ok(verified.headers['x-amz-checksum-crc64nvme'])
  assertError(await at.s3.send({ path: `/${bucket}/none` }), 404, 'NoSuchKey')
  assertError(await at.other.send({ path: `/${bucket}/k` }), 403, 'AccessDenied')
})

test('GetObject of an empty object', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/empty`, '')
  const got = await at.s3.send({ path: `/${bucket}/empty` })
  assert.deepEqual([got.status, got.bytes.length, got.headers['content-length']], [200, 0, '0'])
  assertError(
    await at.s3.send({ path: `/${bucket}/empty`, headers: { range: 'bytes=0-' } }),
    416,
    'InvalidRange',
  )
})

test('GetObject answers ranges with 206, impossible ones with 416, odd ones with the whole', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, '0123456789')
  const get = (range: string) => at.s3.send({ path: `/${bucket}/k`, headers: { range } })
  for (const [range, text, header] of [
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=5-100', '56789', 'bytes 5-9/10'],
  ] as const) {
    const got = await get(range)
    assert.deepEqual([got.status, got.text, got.headers['content-range']], [206, text, header], range)
  }
  const impossible = await get('bytes=10-')
  assertError(impossible, 416, 'InvalidRange')
  assert.equal(impossible.headers['content-range'], 'bytes */10')
  for (const range of ['bytes=0-1,5-6', 'bytes=9-0', 'items=0-1']) {
    const got = await get(range)
    assert.deepEqual([got.status, got.text], [200, '0123456789'], range)
  }
})

test('GetObject reads a large object whole and in ranges', async () => {
  const bucket = await at.bucket()
  const content = Buffer.alloc(3_000_001)
  for (let index = 0; index < content.length; index += 4) content.writeUInt8((index * 7) & 255, index)
  await putObject(at.s3, `/${bucket}/k`, content)
  assert.ok((await at.s3.send({ path: `/${bucket}/k` })).bytes.equals(content))
  const part = await at.s3.send({ path: `/${bucket}/k`, headers: { range: 'bytes=1000001-2999999' } })
  assert.ok(part.bytes.equals(content.subarray(1_000_001, 3_000_000)))
})

test('GetObject obeys conditions in the order that AWS documents', async () => {
  const bucket = await at.bucket()
  const { headers } = await putObject(at.s3, `/${bucket}/k`, 'x')
  const etag = headers.etag ?? ''
  const past = 'Sat, 01 Jan 2000 00:00:00 GMT'
  const future = 'Tue, 19 Jan 2038 00:00:00 GMT'
  const status = async (conditions: Record<string, string>) =>
    (await at.s3.send({ path: `/${bucket}/k`, headers: conditions })).status
  assert.equal(await status({ 'if-match': etag }), 200)
  assert.equal(await status({ 'if-match': '"x"' }), 412)
  assert.equal(await status({ 'if-none-match': etag }), 304)
  assert.equal(await status({ 'if-none-match': '"x"' }), 200)
  assert.equal(await status({ 'if-modified-since': past }), 200)
  assert.equal(await status({ 'if-modified-since': future }), 304)
  assert.equal(await status({ 'if-unmodified-since': past }), 412)
  assert.equal(await status({ 'if-match': etag, 'if-unmodified-since': past }), 200)
  assert.equal(await status({ 'if-none-match': etag, 'if-modified-since': past }), 304)
  const unchanged = await at.s3.send({ path: `/${bucket}/k`, headers: { 'if-none-match': etag } })
  assert.equal(unchanged.headers.etag, etag)
  assert.equal(unchanged.bytes.length, 0)
})

test('GetObject overrides headers on request', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'x')
  const query =
    'response-cache-control=no-store&response-content-disposition=attachment&response-content-encoding=x&response-content-language=de&response-content-type=text%2Fx&response-expires=never'
  const { headers } = await at.s3.send({ path: `/${bucket}/k?${query}` })
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(headers['content-disposition'], 'attachment')
  assert.equal(headers['content-encoding'], 'x')
  assert.equal(headers['content-language'], 'de')
  assert.equal(headers['content-type'], 'text/x')
  assert.equal(headers.expires, 'never')
  const injected = await at.s3.send({ path: `/${bucket}/k?response-expires=a%0D%0Ab%3A%20c` })
  assertError(injected, 400, 'InvalidArgument')
})

test('GetObject reads one part of an object that was uploaded in parts', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const first = Buffer.alloc(partBytes, 'a')
  const uploadId = await createUpload(at.s3, path)
  const etags = [
    await putPart(at.s3, path, { uploadId, partNumber: 1, body: first }),
    await putPart(at.s3, path, { uploadId, partNumber: 2, body: 'tail' }),
  ]
  await at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body: completeDocument(etags) })
  const part = await at.s3.send({ path: `${path}?partNumber=2` })
  assert.deepEqual([part.status, part.text, part.headers['x-amz-mp-parts-count']], [206, 'tail', '2'])
  assert.equal(part.headers['content-range'], `bytes ${partBytes}-${partBytes + 3}/${partBytes + 4}`)
  assertError(await at.s3.send({ path: `${path}?partNumber=3` }), 400, 'InvalidPart')
  assertError(await at.s3.send({ path: `${path}?partNumber=0` }), 400, 'InvalidArgument')
  const both = await at.s3.send({ path: `${path}?partNumber=1`, headers: { range: 'bytes=0-1' } })
  assertError(both, 400, 'InvalidRequest')
  await putObject(at.s3, path, 'whole')
  const whole = await at.s3.send({ path: `${path}?partNumber=1` })
  assert.deepEqual(
    [whole.status, whole.text, whole.headers['x-amz-mp-parts-count']],
    [206, 'whole', undefined],
  )
})

test('GetObject without versioning knows the null version only, and names no version', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'x')
  const got = await at.s3.send({ path: `/${bucket}/k?versionId=null` })
  assert.equal(got.text, 'x')
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).headers['x-amz-version-id'], undefined)
  assertError(await at.s3.send({ path: `/${bucket}/k?versionId=abc` }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: `/${bucket}/k?versionId=` }), 400, 'InvalidArgument')
  const unknown = await at.s3.send({ path: `/${bucket}/k?versionId=${'0'.repeat(32)}` })
  assertError(unknown, 404, 'NoSuchVersion')
})

test('GetObject reads every version by its id, and the newest without', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path, 'null')
  await setVersioning(at.s3, bucket, 'Enabled')
  const large = Buffer.alloc(300_000, 'v')
  const second = await putVersion(at.s3, path, large)
  const third = await putVersion(at.s3, path, 'newest')
  const read = (versionId: string, headers = {}) =>
    at.s3.send({ path: `${path}?versionId=${versionId}`, headers })
  assert.equal((await read('null')).text, 'null')
  assert.equal(versionOf(await read('null')), 'null')
  const whole = await read(second)
  assert.ok(whole.bytes.equals(large))
  assert.equal(versionOf(whole), second)
  assert.equal((await read(second, { range: 'bytes=299998-' })).text, 'vv')
  const newest = await at.s3.send({ path })
  assert.deepEqual([newest.text, versionOf(newest)], ['newest', third])
  assertError(await read('f'.repeat(32)), 404, 'NoSuchVersion')
  assertError(await at.s3.send({ path: `/${bucket}/other?versionId=${second}` }), 404, 'NoSuchVersion')
})

test('GetObject of a delete marker is 404 without its id and 405 with it, and says that it is one', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const path = `/${bucket}/k`
  await putVersion(at.s3, path, 'x')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  for (const method of ['GET', 'HEAD'] as const) {
    const current = await at.s3.send({ method, path })
    assert.deepEqual(
      [current.status, current.headers['x-amz-delete-marker'], versionOf(current)],
      [404, 'true', marker],
    )
    const named = await at.s3.send({ method, path: `${path}?versionId=${marker}` })
    assert.deepEqual(
      [named.status, named.headers['x-amz-delete-marker'], versionOf(named)],
      [405, 'true', marker],
    )
    assert.ok(named.headers['last-modified'])
    assert.equal(named.headers.allow, 'DELETE')
  }
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  assertError(await at.s3.send({ path: `${path}?versionId=${marker}` }), 405, 'MethodNotAllowed')
})
