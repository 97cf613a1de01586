import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClusterError } from '../../node/errors.ts'
import { createFileKms, openFileKms } from '../../node/io/kms-file.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'

const isDecryptionFailure = (error: unknown) =>
  error instanceof ClusterError && error.code === 'DecryptionFailed'

test('an envelope opens with its key and context only', () => {
  const key = randomBytes(32)
  const secret = randomBytes(32)
  const envelope = sealEnvelope(key, secret, 'bucket/1')
  assert.ok(openEnvelope(key, envelope, 'bucket/1').equals(secret))
  assert.throws(() => openEnvelope(key, envelope, 'bucket/2'), isDecryptionFailure)
  assert.throws(() => openEnvelope(randomBytes(32), envelope, 'bucket/1'), isDecryptionFailure)
  for (let position = 0; position < envelope.length; position++) {
    const bad = Buffer.from(envelope)
    bad[position] = (bad[position] ?? 0) ^ 0x80
    assert.throws(() => openEnvelope(key, bad, 'bucket/1'), isDecryptionFailure, `byte ${position}`)
  }
  for (let length = 0; length < envelope.length; length++) {
    assert.throws(() => openEnvelope(key, envelope.subarray(0, length), 'bucket/1'), isDecryptionFailure)
  }
})

test('an envelope of format 1 sealed before this commit still opens', () => {
  const key = Buffer.alloc(32, 7)
  const golden = Buffer.from(GOLDEN, 'hex')
  assert.equal(openEnvelope(key, golden, 'golden').toString('utf8'), 'bundescloud')
})

const GOLDEN =
  '010186f31a60efeaa783e751073621c2b17f28b91036e15767bbf1e71f5c47f2c090932629cb9140f243f7f22096b76d41'

test('the file key store creates a private file once and unwraps after rotation', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'kms-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'owner.key.json')
  await createFileKms(file)
  const first = await readFile(file, 'utf8')
  await createFileKms(file)
  assert.equal(await readFile(file, 'utf8'), first)
  assert.equal((await stat(file)).mode & 0o777, 0o600)

  const secret = randomBytes(32)
  const wrapped = await openFileKms(file).wrap(secret, 'bucket/a')
  const { keys } = JSON.parse(first) as { keys: string[] }
  await writeFile(file, JSON.stringify({ format: 1, keys: [randomBytes(32).toString('hex'), ...keys] }))
  assert.ok((await openFileKms(file).unwrap(wrapped, 'bucket/a')).equals(secret))
  await writeFile(file, JSON.stringify({ format: 1, keys: [randomBytes(32).toString('hex')] }))
  await assert.rejects(openFileKms(file).unwrap(wrapped, 'bucket/a'), isDecryptionFailure)
})

test('a malformed key store is refused without quoting it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'kms-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'owner.key.json')
  await writeFile(file, JSON.stringify({ format: 1, keys: ['deadbeef'] }))
  assert.throws(
    () => openFileKms(file),
    (error: unknown) =>
      error instanceof Error && !error.message.includes('deadbeef') && error.message.includes(file),
  )
})
