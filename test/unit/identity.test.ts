import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { certificateKey, selfSignedCertificate } from '../../node/io/certificate.ts'
import {
  ed25519Verify,
  generateKeyPair,
  keyPairFromSeed,
  loadKey,
  loadOrCreateKey,
  loadOrCreateProcessKeys,
} from '../../node/io/identity.ts'

const directory = await mkdtemp(join(tmpdir(), 'identity-'))
after(() => rm(directory, { recursive: true }))

/** RFC 8032, section 7.1, test 2. */
const rfc8032 = {
  seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
  publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  message: '72',
  signature:
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
}

test('signatures are those of RFC 8032', () => {
  const pair = keyPairFromSeed(Buffer.from(rfc8032.seed, 'hex'))
  assert.equal(pair.publicKey, rfc8032.publicKey)
  assert.equal(pair.sign(Buffer.from(rfc8032.message, 'hex')), rfc8032.signature)
})

test('a signature verifies only for its bytes and its key', () => {
  const message = Buffer.from(rfc8032.message, 'hex')
  assert.equal(ed25519Verify(rfc8032.publicKey, message, rfc8032.signature), true)
  assert.equal(ed25519Verify(rfc8032.publicKey, Buffer.from('73', 'hex'), rfc8032.signature), false)
  assert.equal(ed25519Verify(generateKeyPair().publicKey, message, rfc8032.signature), false)
})

test('malformed keys and signatures from the network are false, not errors', () => {
  const message = Buffer.from('x')
  for (const key of ['', 'zz', `${rfc8032.publicKey}00`, rfc8032.publicKey.toUpperCase()]) {
    assert.equal(ed25519Verify(key, message, rfc8032.signature), false, key)
  }
  for (const signature of ['', 'zz', rfc8032.signature.slice(2)]) {
    assert.equal(ed25519Verify(rfc8032.publicKey, message, signature), false, signature)
  }
})

test('the sodium secret key is the seed and the public key', () => {
  const { publicKey, secretKey } = keyPairFromSeed(Buffer.from(rfc8032.seed, 'hex')).sodium()
  assert.equal(publicKey.toString('hex'), rfc8032.publicKey)
  assert.equal(secretKey.toString('hex'), rfc8032.seed + rfc8032.publicKey)
})

test('keys survive a restart and are readable by their owner only', async () => {
  const first = await loadOrCreateProcessKeys(directory)
  const second = await loadOrCreateProcessKeys(directory)
  assert.equal(second.node.publicKey, first.node.publicKey)
  assert.equal(second.journal.publicKey, first.journal.publicKey)
  assert.notEqual(first.node.publicKey, first.journal.publicKey)
  assert.equal((await stat(join(directory, 'node.key'))).mode & 0o777, 0o600)
  assert.deepEqual((await readdir(directory)).sort(), ['journal.key', 'node.key'])
})

test('several starts at once on one directory agree on one key', async () => {
  const pairs = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateKey(directory, 'operator')))
  assert.equal(new Set(pairs.map((pair) => pair.publicKey)).size, 1)
})

test('a damaged key file is refused without showing its content', async () => {
  const path = join(directory, 'node.key')
  const text = await readFile(path, 'utf8')
  const seed = JSON.parse(text).seed
  const damaged = [text.slice(0, -5), text.replace('"use":"node"', '"use":"journal"'), `x${text}`, '{}']
  damaged.push(JSON.stringify({ ...JSON.parse(text), publicKey: rfc8032.publicKey }))
  for (const bad of damaged) {
    await writeFile(path, bad)
    await assert.rejects(loadKey(directory, 'node'), (error: Error) => {
      assert.match(error.message, /node\.key/)
      assert.ok(!error.message.includes(seed))
      return true
    })
  }
})

test('a certificate carries the key, is signed by it and is X.509 of version 3', () => {
  const pair = generateKeyPair()
  const certificate = new X509Certificate(selfSignedCertificate(pair, 'by-1'))
  assert.equal(certificateKey(certificate), pair.publicKey)
  assert.equal(certificate.verify(certificate.publicKey), true)
  assert.equal(certificate.subject, 'CN=by-1')
  assert.equal(certificate.validToDate.getUTCFullYear(), 9999)
})
