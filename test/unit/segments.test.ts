import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  ciphertextBytes,
  SegmentDecryptor,
  SegmentEncryptor,
  type SegmentStream,
  TAG_BYTES,
} from '../../gateway/object/segments.ts'
import { ClusterError } from '../../node/errors.ts'

const SEGMENT = 1000

function streamOf(plainBytes: number): SegmentStream {
  return {
    dataKey: randomBytes(32),
    blobId: randomBytes(16).toString('hex'),
    segmentBytes: SEGMENT,
    plainBytes,
  }
}

function encrypt(stream: SegmentStream, plain: Buffer, cut: number): Buffer {
  const encryptor = new SegmentEncryptor(stream)
  const pieces: Buffer[] = []
  for (let at = 0; at < plain.length; at += cut) encryptor.update(plain.subarray(at, at + cut), pieces)
  return Buffer.concat(pieces)
}

function decrypt(stream: SegmentStream, cipher: Buffer, firstSegment: number, cut: number): Buffer {
  const decryptor = new SegmentDecryptor(stream, firstSegment)
  const plain: Buffer[] = []
  for (let at = 0; at < cipher.length; ) {
    const segment = cipher.subarray(at, at + decryptor.nextBytes)
    at += segment.length
    const pieces: Buffer[] = []
    for (let i = 0; i < segment.length; i += cut) pieces.push(segment.subarray(i, i + cut))
    plain.push(...decryptor.segment(pieces))
  }
  return Buffer.concat(plain)
}

const isDecryptionFailure = (error: unknown) =>
  error instanceof ClusterError && error.code === 'DecryptionFailed'

test('plaintext of every length and cut comes back, and the ciphertext has the announced length', () => {
  for (const plainBytes of [1, 15, 999, 1000, 1001, 1016, 2000, 2999, 5000, 10_001]) {
    for (const cut of [1, 7, 1000, 4096]) {
      const stream = streamOf(plainBytes)
      const plain = randomBytes(plainBytes)
      const cipher = encrypt(stream, plain, cut)
      assert.equal(cipher.length, ciphertextBytes(plainBytes, SEGMENT))
      assert.ok(decrypt(stream, cipher, 0, cut).equals(plain))
    }
  }
})

test('a segment decrypts alone', () => {
  const stream = streamOf(5500)
  const plain = randomBytes(5500)
  const cipher = encrypt(stream, plain, 64)
  const from = 3 * (SEGMENT + TAG_BYTES)
  assert.ok(decrypt(stream, cipher.subarray(from), 3, 100).equals(plain.subarray(3 * SEGMENT)))
})

test('a flipped bit, swapped segments, a cut end and another blob are refused', () => {
  const stream = streamOf(3500)
  const cipher = encrypt(stream, randomBytes(3500), 100)
  const framed = SEGMENT + TAG_BYTES
  for (const position of [0, 999, 1000, 1015, framed, cipher.length - 1]) {
    const bad = Buffer.from(cipher)
    bad[position] = (bad[position] ?? 0) ^ 1
    assert.throws(() => decrypt(stream, bad, 0, 512), isDecryptionFailure, `bit at ${position}`)
  }
  const swapped = Buffer.concat([
    cipher.subarray(framed, 2 * framed),
    cipher.subarray(0, framed),
    cipher.subarray(2 * framed),
  ])
  assert.throws(() => decrypt(stream, swapped, 0, 512), isDecryptionFailure)
  const shorter = { ...stream, plainBytes: 3000 }
  assert.throws(() => decrypt(shorter, cipher.subarray(0, 3 * framed), 0, 512), isDecryptionFailure)
  const other = { ...stream, blobId: randomBytes(16).toString('hex') }
  assert.throws(() => decrypt(other, cipher, 0, 512), isDecryptionFailure)
})

test('a segment that fails may be tried again with other bytes', () => {
  const stream = streamOf(1500)
  const plain = randomBytes(1500)
  const cipher = encrypt(stream, plain, 1500)
  const decryptor = new SegmentDecryptor(stream, 0)
  const good = cipher.subarray(0, SEGMENT + TAG_BYTES)
  const bad = Buffer.from(good)
  bad.fill(0, 10, 20)
  assert.throws(() => decryptor.segment([bad]), isDecryptionFailure)
  assert.ok(Buffer.concat(decryptor.segment([good])).equals(plain.subarray(0, SEGMENT)))
})

test('more plaintext than announced is refused', () => {
  const encryptor = new SegmentEncryptor(streamOf(10))
  assert.throws(() => encryptor.update(Buffer.alloc(11), []), RangeError)
})
