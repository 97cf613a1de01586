/** Every algorithm of the S3 model on its whole way: PUT, trailer, parts, copies, reads. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { assertError, createUpload, partBytes, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

/** Base64 of the published check values, for "123456789". */
const ofDigits = {
  CRC32: 'y/Q5Jg==',
  CRC32C: '4waSgw==',
  CRC64NVME: 'rosUhgp5mIg=',
  SHA1: '98O8HYCOBHMq32eZZczDTKeuNEE=',
  SHA256: 'FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=',
  SHA512: '2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==',
  MD5: 'JfnnlDI7RTiF9RgfG2JNCw==',
  XXHASH64: 'jLhB20DmroM=',
  XXHASH3: 'ctyxi2ehff8=',
  XXHASH128: 'MxGUd+3l3NXpcWQnaB1YYA==',
} as const
type Algorithm = keyof typeof ofDigits
const algorithms = Object.keys(ofDigits) as Algorithm[]

const headerOf = (algorithm: Algorithm): string => `x-amz-checksum-${algorithm.toLowerCase()}`
const readChecksum = { 'x-amz-checksum-mode': 'ENABLED' }

for (const algorithm of algorithms) {
  const header = headerOf(algorithm)
  const value = ofDigits[algorithm]

  test(`${algorithm} of a PUT is verified, kept and given back`, async () => {
    const path = `/${await at.bucket()}/k`
    const put = await putObject(at.s3, path, '123456789', { [header]: value })
    assert.equal(put.headers[header], value)
    const silent = await at.s3.send({ path })
    assert.equal(silent.headers[header], undefined)
    const got = await at.s3.send({ path, headers: readChecksum })
    assert.deepEqual([got.headers[header], got.headers['x-amz-checksum-type']], [value, 'FULL_OBJECT'])
    const send = (body: string, sum: string) =>
      at.s3.send({ method: 'PUT', path, body, headers: { [header]: sum } })
    assertError(await send('12345678!', value), 400, 'BadDigest')
    assertError(await send('123456789', 'bad'), 400, 'BadDigest')
    assert.equal((await at.s3.send({ path })).text, '123456789')
  })

  test(`${algorithm} in a trailer is verified and kept`, async () => {
    const path = `/${await at.bucket()}/k`
    const send = (sum: string) =>
      at.s3.send({
        method: 'PUT',
        path,
        payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: {
          'content-encoding': 'aws-chunked',
          'x-amz-decoded-content-length': '9',
          'x-amz-trailer': header,
        },
        body: `9\r\n123456789\r\n0\r\n${header}:${sum}\r\n\r\n`,
      })
    const put = await send(value)
    assert.deepEqual([put.status, put.headers[header]], [200, value], put.text)
    const other = value.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    assertError(await send(other), 400, 'BadDigest')
  })

  test(`CopyObject computes ${algorithm} when it is asked to, and keeps it when it is not`, async () => {
    const path = `/${await at.bucket()}/k`
    await putObject(at.s3, path, '123456789')
    const copy = (from: string, to: string, headers: Record<string, string>) =>
      at.s3.send({ method: 'PUT', path: to, headers: { 'x-amz-copy-source': from, ...headers } })
    const made = await copy(path, `${path}2`, { 'x-amz-checksum-algorithm': algorithm })
    assert.equal(tag(made.text, `Checksum${algorithm}`), value)
    const kept = await copy(`${path}2`, `${path}3`, {})
    assert.equal(tag(kept.text, `Checksum${algorithm}`), value)
    assert.equal(tag(kept.text, 'ChecksumType'), 'FULL_OBJECT')
    const head = await at.s3.send({ method: 'HEAD', path: `${path}3`, headers: readChecksum })
    assert.equal(head.headers[header], value)
  })

  const type = algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE'
  test(`an upload in parts announces ${algorithm}, whose type is ${type} unless said otherwise`, async () => {
    const path = `/${await at.bucket()}/k`
    const begun = await at.s3.send({
      method: 'POST',
      path: `${path}?uploads=`,
      headers: { 'x-amz-checksum-algorithm': algorithm },
    })
    assert.equal(begun.headers['x-amz-checksum-algorithm'], algorithm)
    assert.equal(begun.headers['x-amz-checksum-type'], type)
    const uploadId = tag(begun.text, 'UploadId') ?? ''
    const part = (number: number, body: string | Buffer, headers: Record<string, string> = {}) =>
      at.s3.send({
        method: 'PUT',
        path: `${path}?partNumber=${number}&uploadId=${uploadId}`,
        body,
        headers,
      })
    const large = await part(1, Buffer.alloc(partBytes, 'a'))
    const small = await part(2, '123456789', { [header]: value })
    assert.equal(small.headers[header], value)
    const complete = (sums: readonly (string | undefined)[], headers: Record<string, string> = {}) => {
      const parts = [large, small].map(({ headers: { etag } }, index) => {
        const sum = sums[index]
        const markup = sum === undefined ? '' : `<Checksum${algorithm}>${sum}</Checksum${algorithm}>`
        return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag>${markup}</Part>`
      })
      const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
      return at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body, headers })
    }
    const sums = [large, small].map((put) => String(put.headers[header]))
    assertError(await complete([value, value]), 400, 'InvalidPart')
    assertError(await complete(sums, { [header]: 'bad' }), 400, 'BadDigest')
    const wrong = Buffer.alloc(Buffer.from(value, 'base64').length).toString('base64')
    assertError(await complete(sums, { [header]: wrong }), 400, 'BadDigest')
    // What the client does not repeat is taken from what was verified when the part came.
    const done = await complete([sums[0], undefined])
    assert.equal(done.status, 200, done.text)
    assert.equal(tag(done.text, 'ChecksumType'), type)
    const whole = tag(done.text, `Checksum${algorithm}`)
    assert.equal(whole?.endsWith('-2'), type === 'COMPOSITE')
    if (algorithm === 'MD5' || algorithm === 'SHA512') {
      // An oracle that is not ours: the digest of the digests.
      const hash = createHash(algorithm)
      for (const sum of sums) hash.update(Buffer.from(sum, 'base64'))
      assert.equal(whole, `${hash.digest('base64')}-2`)
    }
    const head = await at.s3.send({ method: 'HEAD', path, headers: readChecksum })
    assert.deepEqual([head.headers[header], head.headers['x-amz-checksum-type']], [whole, type])
  })
}

test('only CRCs may be announced for the full object, and the later algorithms must be announced', async () => {
  const path = `/${await at.bucket()}/k`
  for (const algorithm of algorithms) {
    const begun = await at.s3.send({
      method: 'POST',
      path: `${path}?uploads=`,
      headers: { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'FULL_OBJECT' },
    })
    if (algorithm.startsWith('CRC')) assert.equal(begun.headers['x-amz-checksum-type'], 'FULL_OBJECT')
    else assertError(begun, 400, 'InvalidRequest')
  }
  const uploadId = await createUpload(at.s3, path)
  const send = (algorithm: Algorithm) =>
    at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=1&uploadId=${uploadId}`,
      body: '123456789',
      headers: { [headerOf(algorithm)]: ofDigits[algorithm] },
    })
  assert.equal((await send('SHA256')).status, 200)
  assertError(await send('XXHASH3'), 400, 'InvalidRequest')
})

test('a part copied into an upload has the checksum that the upload announced', async () => {
  const path = `/${await at.bucket()}/k`
  await putObject(at.s3, path, '0123456789')
  const uploadId = await createUpload(at.s3, `${path}2`, { 'x-amz-checksum-algorithm': 'XXHASH128' })
  const copied = await at.s3.send({
    method: 'PUT',
    path: `${path}2?partNumber=1&uploadId=${uploadId}`,
    headers: { 'x-amz-copy-source': path, 'x-amz-copy-source-range': 'bytes=1-9' },
  })
  assert.equal(tag(copied.text, 'ChecksumXXHASH128'), ofDigits.XXHASH128)
})
