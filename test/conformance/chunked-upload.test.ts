import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { type SendOptions, signRequest } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const content = Buffer.alloc(150_000, 'chunked ')
const emptyHash = createHash('sha256').digest('hex')

function crcTrailer(data: Buffer): string {
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(data))
  return `x-amz-checksum-crc32:${digest.toString('base64')}`
}

function cut(data: Buffer): Buffer[] {
  return [data.subarray(0, 65_536), data.subarray(65_536, 131_072), data.subarray(131_072), Buffer.alloc(0)]
}

interface Mode {
  readonly signed: boolean
  readonly trailer: string | undefined
}

/** One upload in chunks. `change` edits the encoded body before it is sent. */
async function upload(path: string, { signed, trailer }: Mode, change = (body: Buffer) => body) {
  const payload = signed
    ? `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`
    : 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
  const options: SendOptions = {
    method: 'PUT',
    path,
    payload,
    headers: {
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(content.length),
      ...(trailer === undefined ? {} : { 'x-amz-trailer': 'x-amz-checksum-crc32' }),
    },
  }
  const request = signRequest(options, at.s3.endpoint, at.s3.keys)
  let previous = request.signature
  const sign = (kind: string, text: string) => {
    const full = `AWS4-HMAC-SHA256-${kind}\n${request.amzDate}\n${request.scope}\n${previous}\n${text}`
    previous = createHmac('sha256', request.signingKey).update(full).digest('hex')
    return previous
  }
  const pieces: (string | Buffer)[] = []
  for (const chunk of cut(content)) {
    const hash = createHash('sha256').update(chunk).digest('hex')
    const extension = signed ? `;chunk-signature=${sign('PAYLOAD', `${emptyHash}\n${hash}`)}` : ''
    pieces.push(`${chunk.length.toString(16)}${extension}\r\n`)
    if (chunk.length > 0) pieces.push(chunk, '\r\n')
  }
  if (trailer !== undefined) {
    pieces.push(`${trailer}\r\n`)
    if (signed) {
      const hash = createHash('sha256').update(`${trailer}\n`).digest('hex')
      pieces.push(`x-amz-trailer-signature:${sign('TRAILER', hash)}\r\n`)
    }
  }
  pieces.push('\r\n')
  const body = change(Buffer.concat(pieces.map((piece) => Buffer.from(piece))))
  return at.s3.exchange({ method: 'PUT', path, body }, request.headers)
}

const modes: readonly (readonly [string, Mode])[] = [
  ['signed chunks', { signed: true, trailer: undefined }],
  ['signed chunks with a signed trailer', { signed: true, trailer: crcTrailer(content) }],
  ['unsigned chunks with a trailer', { signed: false, trailer: crcTrailer(content) }],
]
for (const [name, mode] of modes) {
  test(`an upload in ${name} stores its payload and not its framing`, async () => {
    const path = `/${await at.bucket()}/k`
    const put = await upload(path, mode)
    assert.equal(put.status, 200, put.text)
    const got = await at.s3.send({ path, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    assert.ok(got.bytes.equals(content))
    assert.equal(got.headers['content-encoding'], undefined)
    if (mode.trailer !== undefined)
      assert.equal(`x-amz-checksum-crc32:${got.headers['x-amz-checksum-crc32']}`, mode.trailer)
  })

  test(`an upload in ${name} that stops early ends with an error and stores nothing`, async () => {
    const path = `/${await at.bucket()}/k`
    for (const length of [10, 65_000, 140_000, content.length]) {
      assertError(await upload(path, mode, (body) => body.subarray(0, length)), 400, 'IncompleteBody')
    }
    assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
  })
}

test('a chunk whose bytes or signature were changed is refused', async () => {
  const path = `/${await at.bucket()}/k`
  for (const offset of [30, 1000, 140_000]) {
    const change = (body: Buffer) => {
      body[offset] = body[offset] === 0x61 ? 0x62 : 0x61
      return body
    }
    assertError(
      await upload(path, { signed: true, trailer: undefined }, change),
      403,
      'SignatureDoesNotMatch',
    )
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
})

test('a trailer that does not match, or is missing, is refused', async () => {
  const path = `/${await at.bucket()}/k`
  const wrong = 'x-amz-checksum-crc32:AAAAAA=='
  assertError(await upload(path, { signed: false, trailer: wrong }), 400, 'BadDigest')
  assertError(await upload(path, { signed: true, trailer: wrong }), 400, 'BadDigest')
  assertError(await upload(path, { signed: false, trailer: 'x-amz-meta-a:b' }), 400, 'MalformedTrailerError')
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404)
})

test('a chunked upload must say how many bytes it holds', async () => {
  const path = `/${await at.bucket()}/k`
  const answer = await at.s3.send({
    method: 'PUT',
    path,
    payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    body: '0\r\n\r\n',
  })
  assertError(answer, 411, 'MissingContentLength')
})

test('a body in HTTP chunks without a length is refused', async () => {
  const path = `/${await at.bucket()}/k`
  const late = { 'transfer-encoding': 'chunked' }
  const answer = await at.s3.send({ method: 'PUT', path, payload: 'UNSIGNED-PAYLOAD', body: 'x', late })
  assertError(answer, 411, 'MissingContentLength')
})
