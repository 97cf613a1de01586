import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, completeDocument, createUpload, md5Hex, partBytes, putObject, putPart } from './ask.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const first = Buffer.alloc(partBytes, 'a')

async function uploadOf(path: string, headers: Record<string, string> = {}) {
  const uploadId = await createUpload(at.s3, path, headers)
  const etags = [
    await putPart(at.s3, path, { uploadId, partNumber: 1, body: first }),
    await putPart(at.s3, path, { uploadId, partNumber: 2, body: 'tail' }),
  ]
  return { uploadId, etags }
}

function complete(path: string, uploadId: string, body: string, headers: Record<string, string> = {}) {
  return at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body, headers })
}

test('CompleteMultipartUpload makes the object of its parts, and repeated says so again', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path, { 'x-amz-meta-a': 'b', 'content-type': 'video/mp4' })
  const done = await complete(path, uploadId, completeDocument(etags))
  assert.equal(done.status, 200, done.text)
  const whole = Buffer.concat([first, Buffer.from('tail')])
  const parts = Buffer.concat([first, Buffer.from('tail')].map((part) => part))
  assert.equal(parts.length, whole.length)
  const etag = md5Hex(Buffer.from(md5Hex(first) + md5Hex('tail'), 'hex'))
  assert.equal(tag(done.text, 'ETag'), `&quot;${etag}-2&quot;`)
  assert.ok(tag(done.text, 'ChecksumCRC64NVME'))
  assert.equal(tag(done.text, 'ChecksumType'), 'FULL_OBJECT')
  const got = await at.s3.send({ path, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  assert.ok(got.bytes.equals(whole))
  assert.deepEqual([got.headers.etag, got.headers['x-amz-meta-a']], [`"${etag}-2"`, 'b'])
  assert.equal(got.headers['x-amz-checksum-crc64nvme'], tag(done.text, 'ChecksumCRC64NVME'))
  const put = await putObject(at.s3, `${path}-whole`, whole)
  assert.equal(put.headers['x-amz-checksum-crc64nvme'], tag(done.text, 'ChecksumCRC64NVME'))
  const again = await complete(path, uploadId, completeDocument(etags))
  assert.deepEqual([again.status, tag(again.text, 'ETag')], [200, `&quot;${etag}-2&quot;`])
})

test('of a part that is listed twice in a row the last entry counts', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path)
  const [one = '', two = ''] = etags
  const part = (number: number, etag: string): string =>
    `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`
  const list = (...parts: string[]): string =>
    `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  const stale = `"${md5Hex('before')}"`
  assertError(
    await complete(path, uploadId, list(part(1, one), part(1, stale), part(2, two))),
    400,
    'InvalidPart',
  )
  const done = await complete(path, uploadId, list(part(1, stale), part(1, one), part(2, two)))
  assert.equal(done.status, 200, done.text)
  assert.equal(tag(done.text, 'ETag')?.endsWith('-2&quot;'), true)
})

test('CompleteMultipartUpload refuses parts that are wrong, missing, small or out of order', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path)
  const [one = '', two = ''] = etags
  assertError(await complete(path, uploadId, completeDocument([one, one])), 400, 'InvalidPart')
  assertError(await complete(path, uploadId, completeDocument([one, two, two])), 400, 'InvalidPart')
  const reversed = `<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>${two}</ETag></Part><Part><PartNumber>1</PartNumber><ETag>${one}</ETag></Part></CompleteMultipartUpload>`
  assertError(await complete(path, uploadId, reversed), 400, 'InvalidPartOrder')
  assertError(await complete(path, uploadId, completeDocument([])), 400, 'MalformedXML')
  assertError(await complete(path, uploadId, '<CompleteMultipartUpload>'), 400, 'MalformedXML')
  assertError(await complete(path, uploadId, ''), 400, 'MalformedXML')
  await putPart(at.s3, path, { uploadId, partNumber: 1, body: 'small' })
  assertError(
    await complete(path, uploadId, completeDocument([`"${md5Hex('small')}"`, two])),
    400,
    'EntityTooSmall',
  )
  assertError(await complete(path, 'none', completeDocument(etags)), 404, 'NoSuchUpload')
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
})

test('CompleteMultipartUpload verifies what the client says of the whole', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path)
  const body = completeDocument(etags)
  assertError(await complete(path, uploadId, body, { 'x-amz-mp-object-size': '7' }), 400, 'InvalidRequest')
  const wrong = { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' }
  assertError(await complete(path, uploadId, body, wrong), 400, 'BadDigest')
  assertError(
    await complete(path, uploadId, body, { 'x-amz-checksum-type': 'COMPOSITE' }),
    400,
    'InvalidRequest',
  )
  const size = { 'x-amz-mp-object-size': String(partBytes + 4) }
  assert.equal((await complete(path, uploadId, body, size)).status, 200)
})

test('CompleteMultipartUpload of a composite upload verifies checksums of parts and writes their number', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path, { 'x-amz-checksum-algorithm': 'SHA256' })
  const listed = await at.s3.send({ path: `${path}?uploadId=${uploadId}` })
  const sums = [...listed.text.matchAll(/<ChecksumSHA256>[^<]*<\/ChecksumSHA256>/g)].map((match) => match[0])
  assert.equal(sums.length, 2)
  assertError(
    await complete(path, uploadId, completeDocument(etags, [...sums].reverse())),
    400,
    'InvalidPart',
  )
  const done = await complete(path, uploadId, completeDocument(etags, sums))
  assert.equal(done.status, 200, done.text)
  assert.match(tag(done.text, 'ChecksumSHA256') ?? '', /^[A-Za-z0-9+/]{43}=-2$/)
  assert.equal(tag(done.text, 'ChecksumType'), 'COMPOSITE')
  const head = await at.s3.send({ method: 'HEAD', path, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  assert.equal(head.headers['x-amz-checksum-sha256'], tag(done.text, 'ChecksumSHA256'))
})

test('CompleteMultipartUpload completes conditionally', async () => {
  const path = `/${await at.bucket()}/k`
  const { uploadId, etags } = await uploadOf(path)
  await putObject(at.s3, path, 'earlier')
  const body = completeDocument(etags)
  assertError(await complete(path, uploadId, body, { 'if-none-match': '*' }), 412, 'PreconditionFailed')
  assertError(await complete(path, uploadId, body, { 'if-match': '"x"' }), 412, 'PreconditionFailed')
  assert.equal((await at.s3.send({ path })).text, 'earlier')
  assert.equal((await complete(path, uploadId, body, { 'if-match': `"${md5Hex('earlier')}"` })).status, 200)
})

test('CompleteMultipartUpload refuses parts that make more than an object may hold, and keeps them', async () => {
  const gateway = await startLocalGateway({ limits: { uploadedBytesMax: partBytes } })
  try {
    const s3 = gateway.client()
    await s3.send({ method: 'PUT', path: '/bounded' })
    const uploadId = await createUpload(s3, '/bounded/k')
    const etags = [
      await putPart(s3, '/bounded/k', { uploadId, partNumber: 1, body: first }),
      await putPart(s3, '/bounded/k', { uploadId, partNumber: 2, body: 'x' }),
    ]
    const path = `/bounded/k?uploadId=${uploadId}`
    const refused = await s3.send({ method: 'POST', path, body: completeDocument(etags) })
    assertError(refused, 400, 'EntityTooLarge')
    assert.equal((await s3.send({ method: 'HEAD', path: '/bounded/k' })).status, 404)
    const done = await s3.send({ method: 'POST', path, body: completeDocument(etags.slice(0, 1)) })
    assert.equal(done.status, 200, done.text)
  } finally {
    await gateway.close()
  }
})
