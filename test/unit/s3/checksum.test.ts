import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
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
import type { ChecksumAlgorithm, Upload } from '../../../node/core/catalog-types.ts'
import { codeOf } from './s3-error-of.ts'

function digestOf(algorithm: ChecksumAlgorithm, ...chunks: readonly Uint8Array[]): Buffer {
  const digester = checksums[algorithm].create()
  for (const chunk of chunks) digester.update(chunk)
  return digester.digest()
}

// The check values of the catalogue of parametrised CRC algorithms and of FIPS 180-4, for "123456789".
const checkValues: Record<ChecksumAlgorithm, string> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
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
  assert.equal(code({ 'x-amz-checksum-crc32': 'AAAA' }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-checksum-crc32': `${crc32} ` }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-checksum-rot13': 'AAAA' }), 'InvalidRequest')
  assert.equal(code({ 'x-amz-checksum-xxhash64': 'AAAA' }), 'NotImplemented')
  assert.equal(code({ 'x-amz-sdk-checksum-algorithm': 'CRC32' }), 'InvalidRequest')
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
  assert.equal(
    codeOf(() => announce('MD5')),
    'NotImplemented',
  )
})

test('parts carry the algorithm of their upload; another one is refused only where one was announced', () => {
  const upload = { uploadId: 'u', key: 'k', startedMs: 0, ownerId: 'o', segmentBytes: 1 } as Upload
  const announced = { ...upload, checksum: { algorithm: 'SHA256', type: 'COMPOSITE' } as const }
  assert.equal(partAlgorithm(upload, undefined), 'CRC64NVME')
  assert.equal(partAlgorithm(upload, 'CRC32'), 'CRC64NVME')
  assert.equal(partAlgorithm(announced, undefined), 'SHA256')
  assert.equal(
    codeOf(() => partAlgorithm(announced, 'CRC32')),
    'InvalidRequest',
  )
})

test('the checksum stated for a whole may name its number of parts', () => {
  const value = digestOf('SHA1', Buffer.from('x')).toString('base64')
  assert.deepEqual(statedChecksum({ 'x-amz-checksum-sha1': `${value}-3` }), { algorithm: 'SHA1', value })
  assert.equal(
    codeOf(() => statedChecksum({ 'x-amz-checksum-sha1': 'x' })),
    'InvalidRequest',
  )
})
