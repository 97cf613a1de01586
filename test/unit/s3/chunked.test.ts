import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChunkDecoder, ChunkSigner } from '../../../gateway/auth/chunked.ts'
import { deriveSigningKey, scopeText } from '../../../gateway/auth/sigv4.ts'
import { gatewayLimits } from '../../../gateway/limits.ts'
import { S3Error } from '../../../gateway/s3/errors.ts'
import { codeOf } from './s3-error-of.ts'
import { awsExamples, exampleScope } from './sigv4-golden.ts'

const key = deriveSigningKey(awsExamples.secretAccessKey, exampleScope)
const content = Buffer.alloc(66_560, 'a')

function signingFrom(seedSignature: string) {
  return { key, amzDate: awsExamples.amzDate, scope: scopeText(exampleScope), seedSignature }
}

interface Encoding {
  readonly chunks: readonly { bytes: number; signature?: string }[]
  readonly trailer?: string
}

function encode({ chunks, trailer }: Encoding, data = content): Buffer {
  const pieces: (string | Buffer)[] = []
  let offset = 0
  for (const { bytes, signature } of chunks) {
    pieces.push(`${bytes.toString(16)}${signature === undefined ? '' : `;chunk-signature=${signature}`}\r\n`)
    if (bytes === 0) break
    pieces.push(data.subarray(offset, offset + bytes), '\r\n')
    offset += bytes
  }
  pieces.push(trailer ?? '', '\r\n')
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
}

/** Pushes `wire` cut into pieces of `step` bytes; returns the payload and the decoder, ended. */
function decode(decoder: ChunkDecoder, wire: Buffer, step: number): Buffer {
  const out: Buffer[] = []
  for (let offset = 0; offset < wire.length; offset += step) {
    decoder.push(wire.subarray(offset, offset + step), out)
  }
  decoder.end()
  return Buffer.concat(out)
}

const { chunkedExample, trailerExample } = awsExamples
const chunkedWire = encode(chunkedExample)
const trailerWire = encode({
  chunks: trailerExample.chunks,
  trailer: `${trailerExample.trailer}\r\nx-amz-trailer-signature:${trailerExample.trailerSignature}\r\n`,
})

function chunkedDecoder(): ChunkDecoder {
  const signing = signingFrom(chunkedExample.seedSignature)
  return new ChunkDecoder({ bytes: content.length, trailer: false, signing, limits: gatewayLimits })
}

function trailerDecoder(): ChunkDecoder {
  const signing = signingFrom(trailerExample.seedSignature)
  return new ChunkDecoder({ bytes: content.length, trailer: true, signing, limits: gatewayLimits })
}

function unsignedDecoder(bytes: number): ChunkDecoder {
  return new ChunkDecoder({ bytes, trailer: true, limits: gatewayLimits })
}

test("AWS's chunked example has the published length and chain of signatures", () => {
  assert.equal(chunkedWire.length, Number(chunkedExample.headers['content-length']))
  const signer = new ChunkSigner(signingFrom(chunkedExample.seedSignature))
  let offset = 0
  for (const { bytes, signature } of chunkedExample.chunks) {
    if (bytes > 0) signer.update(content.subarray(offset, offset + bytes))
    offset += bytes
    assert.equal(signer.sign(), signature)
  }
})

test('signed chunks decode to their payload however the network cuts them', () => {
  for (const step of [1, 7, 85, 65_536, chunkedWire.length]) {
    assert.ok(decode(chunkedDecoder(), chunkedWire, step).equals(content), `cut into ${step}`)
  }
})

test("AWS's example with a signed trailer decodes, and the trailer is read", () => {
  for (const step of [1, 1000, trailerWire.length]) {
    const decoder = trailerDecoder()
    assert.ok(decode(decoder, trailerWire, step).equals(content))
    assert.equal(decoder.trailers.get('x-amz-checksum-crc32c'), 'sOO8/Q==')
  }
})

test('payload comes out as slices of what went in', () => {
  const out: Buffer[] = []
  chunkedDecoder().push(chunkedWire, out)
  assert.ok(out.length > 0)
  for (const slice of out) assert.equal(slice.buffer, chunkedWire.buffer)
})

test('one changed bit anywhere in a signed body is refused', () => {
  fc.assert(
    fc.property(fc.nat(trailerWire.length - 1), fc.nat(7), (at, bit) => {
      const wire = Buffer.from(trailerWire)
      wire[at] = (wire[at] ?? 0) ^ (1 << bit)
      const code = codeOf(() => {
        const decoder = trailerDecoder()
        const payload = decode(decoder, wire, 4096)
        // White space and the case of hex digits and names carry no meaning: then nothing else may differ.
        assert.ok(payload.equals(content))
        assert.deepEqual([...decoder.trailers], [['x-amz-checksum-crc32c', 'sOO8/Q==']])
      })
      const refusals = ['SignatureDoesNotMatch', 'InvalidRequest', 'IncompleteBody', 'InvalidChunkSizeError']
      assert.ok(['no error', 'MalformedTrailerError', ...refusals].includes(code), code)
    }),
    { numRuns: 300 },
  )
})

test('a body that stops anywhere before its last line ends with an error', () => {
  const lastLine = trailerWire.length - 2
  fc.assert(
    fc.property(fc.nat(lastLine - 3), (length) => {
      const code = codeOf(() => decode(trailerDecoder(), trailerWire.subarray(0, length), 5000))
      assert.ok(['IncompleteBody', 'MalformedTrailerError'].includes(code), `${code} at ${length}`)
    }),
    { numRuns: 300 },
  )
})

test('a chunk under another signature is refused before the next one is taken', () => {
  const forged = encode({
    chunks: [{ bytes: 65_536, signature: '0'.repeat(64) }, ...chunkedExample.chunks.slice(1)],
  })
  const out: Buffer[] = []
  assert.equal(
    codeOf(() => chunkedDecoder().push(forged, out)),
    'SignatureDoesNotMatch',
  )
  assert.ok(Buffer.concat(out).length <= 65_536)
})

test('unsigned chunks with a trailer decode; their trailer is not optional', () => {
  const wire = Buffer.from('5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')
  const decoder = unsignedDecoder(6)
  assert.equal(decode(decoder, wire, 3).toString(), 'hello!')
  assert.equal(decoder.trailers.get('x-amz-checksum-crc32'), 'AAAAAA==')
})

test('more or fewer bytes than announced are refused', () => {
  const wire = Buffer.from('5\r\nhello\r\n0\r\na:b\r\n\r\n')
  assert.equal(
    codeOf(() => decode(unsignedDecoder(4), wire, 100)),
    'IncompleteBody',
  )
  assert.equal(
    codeOf(() => decode(unsignedDecoder(6), wire, 100)),
    'IncompleteBody',
  )
  assert.equal(
    codeOf(() => decode(unsignedDecoder(5), wire, 100)),
    'no error',
  )
})

test('lines are bounded: an endless chunk header or trailer is refused early', () => {
  const endless = Buffer.alloc(10_000, '0')
  assert.equal(
    codeOf(() => unsignedDecoder(5).push(endless, [])),
    'InvalidRequest',
  )
  const trailers = Buffer.concat([Buffer.from('0\r\n'), Buffer.alloc(10_000, 'a')])
  assert.equal(
    codeOf(() => unsignedDecoder(0).push(trailers, [])),
    'InvalidRequest',
  )
  const many = Buffer.from(
    `0\r\n${Array.from({ length: 500 }, (_, index) => `t${index}:v\r\n`).join('')}\r\n`,
  )
  assert.equal(
    codeOf(() => unsignedDecoder(0).push(many, [])),
    'MalformedTrailerError',
  )
})

test('small signed chunks before the last are refused', () => {
  const signer = new ChunkSigner(signingFrom('f'.repeat(64)))
  const chunks = [1000, 1000, 0].map((bytes, index) => {
    if (bytes > 0) signer.update(content.subarray(index * 1000, index * 1000 + bytes))
    return { bytes, signature: signer.sign() }
  })
  const decoder = new ChunkDecoder({
    bytes: 2000,
    trailer: false,
    signing: signingFrom('f'.repeat(64)),
    limits: gatewayLimits,
  })
  assert.equal(
    codeOf(() => decode(decoder, encode({ chunks }), 4096)),
    'InvalidChunkSizeError',
  )
})

test('whatever arrives, the decoder ends with a payload of the announced length or an S3 error', () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      '0\r\n',
      '5\r\n',
      'hello',
      '\r\n',
      'a:b\r\n',
      ';chunk-signature=',
      'ffffffffffff\r\n',
      '\n',
    ),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(pieces), fc.nat(20), (parts, bytes) => {
      const out: Buffer[] = []
      try {
        const decoder = unsignedDecoder(bytes)
        for (const part of parts) decoder.push(Buffer.from(part), out)
        decoder.end()
        assert.equal(Buffer.concat(out).length, bytes)
      } catch (error) {
        assert.ok(error instanceof S3Error, String(error))
        assert.ok(error.status < 500)
      }
    }),
    { numRuns: 500 },
  )
})
