import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, test } from 'node:test'
import { Xxh3_64, Xxh3_128, Xxh64 } from '@aws-sdk/checksums/xxh'
import fc from 'fast-check'
import {
  checksumAlgorithms,
  checksums,
  checksumText,
  clientChecksum,
  combineParts,
} from '../../../gateway/s3/checksum.ts'
import { type CrcName, combineCrc } from '../../../gateway/s3/crc-combine.ts'
import {
  announcedChecksum,
  multipartEtag,
  partAlgorithm,
  statedChecksum,
} from '../../../gateway/s3/multipart.ts'
import { prepareXxHash } from '../../../gateway/s3/xxhash.ts'
import type { ChecksumAlgorithm, Upload } from '../../../node/core/catalog-types.ts'
import { codeOf } from './s3-error-of.ts'

function digestOf(algorithm: ChecksumAlgorithm, ...chunks: readonly Uint8Array[]): Buffer {
  const digester = checksums[algorithm].create()
  for (const chunk of chunks) digester.update(chunk)
  return digester.digest()
}

before(prepareXxHash)

// The check values of the catalogue of parametrised CRC algorithms, of FIPS 180-4, RFC 1321 and xxHash, for "123456789".
const checkValues: Record<ChecksumAlgorithm, string> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
  SHA512:
    'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
  MD5: '25f9e794323b453885f5181f1b624d0b',
  XXHASH64: '8cb841db40e6ae83',
  XXHASH3: '72dcb18b67a17dff',
  XXHASH128: '33119477ede5dcd5e9716427681d5860',
}
for (const algorithm of checksumAlgorithms) {
  test(`${algorithm} of 123456789 is its check value, whole or in pieces`, () => {
    const text = Buffer.from('123456789')
    assert.equal(digestOf(algorithm, text).toString('hex'), checkValues[algorithm])
    assert.equal(
      digestOf(algorithm, text.subarray(0, 4), text.subarray(4)).toString('hex'),
      checkValues[algorithm],
    )
    assert.equal(digestOf(algorithm).length, checksums[algorithm].digestBytes)
  })
}

// Of nothing, with seed 0: the first vectors of xxHash's own sanity test.
const emptyXxHashes = {
  XXHASH64: 'ef46db3751d8e999',
  XXHASH3: '2d06800538d394c2',
  XXHASH128: '99aa06d3014798d86001c324468d497f',
} as const
const awsXxHashes = { XXHASH64: Xxh64, XXHASH3: Xxh3_64, XXHASH128: Xxh3_128 } as const
for (const algorithm of ['XXHASH64', 'XXHASH3', 'XXHASH128'] as const) {
  test(`${algorithm} has seed 0 and the byte order of the AWS SDK, also while streams take turns`, async () => {
    assert.equal(digestOf(algorithm).toString('hex'), emptyXxHashes[algorithm])
    const chunks = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(chunks, chunks, async (one, two) => {
        const streams = [one, two].map((parts) => ({
          parts,
          ours: checksums[algorithm].create(),
          aws: new awsXxHashes[algorithm](),
        }))
        for (let turn = 0; turn < 8; turn++) {
          for (const { parts, ours } of streams) ours.update(parts[turn] ?? new Uint8Array())
        }
        for (const { parts, ours, aws } of streams) {
          aws.update(Buffer.concat(parts))
          assert.deepEqual(ours.digest(), Buffer.from(await aws.digest()))
        }
      }),
    )
  })
}

for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] satisfies CrcName[]) {
  test(`${algorithm}s of parts combine to that of the whole, empty parts included`, () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1 }), (parts) => {
        const digests = parts.map((part) => digestOf(algorithm, part))
        const combined = combineCrc(
          algorithm,
          digests,
          parts.map((part) => part.length),
        )
        assert.deepEqual(combined, digestOf(algorithm, ...parts))
      }),
    )
  })
}

test('a composite checksum is the digest of the digests, written with the number of parts', () => {
  const parts = [Buffer.from('one'), Buffer.from('two')].map((data) => ({
    bytes: data.length,
    checksum: {
      algorithm: 'SHA256',
      type: 'FULL_OBJECT',
      value: digestOf('SHA256', data).toString('base64'),
    } as const,
  }))
  const expected = createHash('sha256')
    .update(createHash('sha256').update('one').digest())
    .update(createHash('sha256').update('two').digest())
    .digest('base64')
  const combined = combineParts('SHA256', 'COMPOSITE', parts)
  assert.equal(combined?.value, expected)
  assert.equal(combined && checksumText(combined, 2), `${expected}-2`)
  assert.equal(combineParts('CRC32', 'COMPOSITE', parts), undefined)
})

test('the ETag of parts is the MD5 of their MD5s and their number', () => {
  const etags = ['one', 'two'].map((text) => createHash('md5').update(text).digest('hex'))
  const whole = createHash('md5')
    .update(Buffer.from(etags.join(''), 'hex'))
    .digest('hex')
  assert.equal(multipartEtag(etags), `${whole}-2`)
})

test('a client states one checksum, in a header or a trailer', () => {
  const crc32 = digestOf('CRC32', Buffer.from('x')).toString('base64')
  assert.equal(clientChecksum({}), undefined)
  assert.deepEqual(clientChecksum({ 'x-amz-checksum-crc32': crc32 }), { algorithm: 'CRC32', value: crc32 })
  assert.deepEqual(clientChecksum({ 'x-amz-trailer': 'x-amz-checksum-sha256' }), {
    algorithm: 'SHA256',
    value: undefined,
  })
  const code = (headers: Record<string, string>) => codeOf(() => clientChecksum(headers))
  assert.equal(code({ 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-crc32c': crc32 }), 'InvalidRequest')
  assert.equal(
    code({ 'x-amz-checksum-crc32': crc32, 'x-amz-trailer': 'x-amz-checksum-crc32' }),
    'InvalidRequest',
  )
  assert.equal(code({ 'x-amz-checksum-crc32': 'AAAA' }), 'BadDigest')
  assert.equal(code({ 'x-amz-checksum-crc32': `${crc32} ` }), 'BadDigest')
  assert.equal(code({ 'x-amz-checksum-rot13': 'AAAA' }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-checksum-xxhash64': 'AAAA' }), 'BadDigest')
  assert.equal(code({ 'x-amz-sdk-checksum-algorithm': 'CRC32' }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-sdk-checksum-algorithm': 'MD5' }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-sdk-checksum-algorithm': 'MD5', 'content-md5': 'x' }), 'no error')
  assert.equal(
    code({ 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': crc32 }),
    'InvalidRequest',
  )
  assert.equal(code({ 'x-amz-checksum-mode': 'ENABLED', 'x-amz-checksum-algorithm': 'CRC32' }), 'no error')
})

test('an upload announces an algorithm and a type that go together', () => {
  const announce = (algorithm?: string, type?: string) =>
    announcedChecksum({ 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type })
  assert.equal(announce(), undefined)
  assert.deepEqual(announce('CRC64NVME'), { algorithm: 'CRC64NVME', type: 'FULL_OBJECT' })
  assert.deepEqual(announce('sha256'), { algorithm: 'SHA256', type: 'COMPOSITE' })
  assert.deepEqual(announce('CRC32', 'FULL_OBJECT'), { algorithm: 'CRC32', type: 'FULL_OBJECT' })
  assert.equal(
    codeOf(() => announce('SHA1', 'FULL_OBJECT')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => announce('CRC64NVME', 'COMPOSITE')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => announce('CRC32', 'HALF')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => announce(undefined, 'COMPOSITE')),
    'InvalidRequest',
  )
  for (const algorithm of ['SHA512', 'MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128']) {
    assert.deepEqual(announce(algorithm), { algorithm, type: 'COMPOSITE' })
    assert.equal(
      codeOf(() => announce(algorithm, 'FULL_OBJECT')),
      'InvalidRequest',
    )
  }
  assert.equal(
    codeOf(() => announce('ROT13')),
    'InvalidRequest',
  )
})

test('parts carry the algorithm of their upload; another one is refused where one was announced or had to be', () => {
  const upload = { uploadId: 'u', key: 'k', startedMs: 0, ownerId: 'o', segmentBytes: 1 } as Upload
  const announced = { ...upload, checksum: { algorithm: 'SHA256', type: 'COMPOSITE' } as const }
  assert.equal(partAlgorithm(upload, undefined), 'CRC64NVME')
  assert.equal(partAlgorithm(upload, 'CRC32'), 'CRC64NVME')
  assert.equal(partAlgorithm(announced, undefined), 'SHA256')
  assert.equal(
    codeOf(() => partAlgorithm(announced, 'CRC32')),
    'InvalidRequest',
  )
  assert.equal(
    codeOf(() => partAlgorithm(upload, 'XXHASH3')),
    'InvalidRequest',
  )
})

test('the checksum stated for a whole may name its number of parts', () => {
  const value = digestOf('SHA1', Buffer.from('x')).toString('base64')
  assert.deepEqual(statedChecksum({ 'x-amz-checksum-sha1': `${value}-3` }), { algorithm: 'SHA1', value })
  assert.equal(
    codeOf(() => statedChecksum({ 'x-amz-checksum-sha1': 'x' })),
    'BadDigest',
  )
})
