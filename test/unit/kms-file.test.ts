import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { defaultKeyName } from '../../node/core/object-encryption.ts'
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import {
  addNamedKeys,
  createFileKms,
  destroyNamedKey,
  namedKeys,
  openFileKms,
} from '../../node/io/kms-file.ts'

async function keyStorePath(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kms-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, 'owner.key.json')
}

const is = (code: ClusterErrorCode) => (error: unknown) =>
  error instanceof ClusterError && error.code === code

test('a new key store has the default key, or exactly the keys that were named', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path)
  assert.deepEqual(await namedKeys(path), [defaultKeyName])
  assert.equal((await stat(path)).mode & 0o777, 0o600)

  const other = await keyStorePath(t)
  await createFileKms(other, { named: ['testkey-1', 'testkey-2'] })
  assert.deepEqual(await namedKeys(other), ['testkey-1', 'testkey-2'])
  const before = await readFile(other, 'utf8')
  await createFileKms(other, { named: ['testkey-1'] })
  await createFileKms(other)
  assert.equal(await readFile(other, 'utf8'), before, 'an existing file keeps its keys')
  await createFileKms(other, { named: ['testkey-3'] })
  assert.deepEqual(await namedKeys(other), ['testkey-1', 'testkey-2', 'testkey-3'])
  assert.equal((await stat(other)).mode & 0o777, 0o600)
})

test('a named key opens what it wrapped, and neither the own key nor another name does', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path, { named: ['a', 'b'] })
  const kms = openFileKms(path)
  const secret = randomBytes(32)
  const wrapped = await kms.wrap(secret, 'object/1', 'a')
  assert.ok((await kms.unwrap(wrapped, 'object/1', 'a')).equals(secret))
  await assert.rejects(kms.unwrap(wrapped, 'object/1', 'b'), is('DecryptionFailed'))
  await assert.rejects(kms.unwrap(wrapped, 'object/1'), is('DecryptionFailed'))
  await assert.rejects(kms.unwrap(wrapped, 'object/2', 'a'), is('DecryptionFailed'))
  await assert.rejects(kms.unwrap(wrapped.subarray(0, 20), 'object/1', 'a'), is('DecryptionFailed'))
  await assert.rejects(kms.unwrap(await kms.wrap(secret, 'x'), 'x', 'a'), is('DecryptionFailed'))
})

test('an unknown name is an error of its own, also when it names a member of every object', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path, { named: ['a'] })
  const kms = openFileKms(path)
  for (const name of ['b', '', '__proto__', 'constructor', 'toString']) {
    await assert.rejects(kms.wrap(randomBytes(32), 'x', name), is('KmsKeyNotFound'), name)
    await assert.rejects(kms.unwrap(randomBytes(80), 'x', name), is('KmsKeyNotFound'), name)
  }
})

test('a file of format 1 is read, and becomes format 2 with its first named key', async (t) => {
  const path = await keyStorePath(t)
  await writeFile(path, JSON.stringify({ format: 1, keys: ['07'.repeat(32)] }))
  const kms = openFileKms(path)
  const secret = randomBytes(32)
  const wrapped = await kms.wrap(secret, 'bucket/1')
  await assert.rejects(kms.wrap(secret, 'x', 'a'), is('KmsKeyNotFound'))
  await addNamedKeys(path, ['a'])
  const { format, keys } = JSON.parse(await readFile(path, 'utf8')) as { format: number; keys: string[] }
  assert.deepEqual([format, keys], [2, ['07'.repeat(32)]])
  // The gateway that has the file open goes on with it, and sees the new key.
  assert.ok((await kms.unwrap(wrapped, 'bucket/1')).equals(secret))
  assert.ok((await kms.unwrap(await kms.wrap(secret, 'x', 'a'), 'x', 'a')).equals(secret))
})

test('the first key of a name wraps and all of them unwrap: a key can be rotated', async (t) => {
  const path = await keyStorePath(t)
  const [own, old, fresh] = ['01', '02', '03'].map((byte) => byte.repeat(32))
  await writeFile(path, JSON.stringify({ format: 2, keys: [own], named: { a: [old] } }))
  const kms = openFileKms(path)
  const before = await kms.wrap(Buffer.from('before'), 'x', 'a')
  await writeFile(path, JSON.stringify({ format: 2, keys: [own], named: { a: [fresh, old] } }))
  const after = await kms.wrap(Buffer.from('after'), 'x', 'a')
  assert.equal((await kms.unwrap(before, 'x', 'a')).toString(), 'before')
  await writeFile(path, JSON.stringify({ format: 2, keys: [own], named: { a: [fresh] } }))
  assert.equal((await kms.unwrap(after, 'x', 'a')).toString(), 'after')
  await assert.rejects(kms.unwrap(before, 'x', 'a'), is('DecryptionFailed'))
})

test('a destroyed key is gone at once, and a new one of that name does not open what it wrapped', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path, { named: ['a', 'b'] })
  const kms = openFileKms(path)
  const wrapped = await kms.wrap(randomBytes(32), 'x', 'a')
  await destroyNamedKey(path, 'a')
  await assert.rejects(kms.unwrap(wrapped, 'x', 'a'), is('KmsKeyNotFound'))
  await addNamedKeys(path, ['a'])
  await assert.rejects(kms.unwrap(wrapped, 'x', 'a'), is('DecryptionFailed'))
  await assert.rejects(destroyNamedKey(path, 'c'), /holds no key c/)
})

test('a file that is damaged or gone gives no key until it is mended, and is never quoted', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path, { named: ['a'] })
  const good = await readFile(path, 'utf8')
  const kms = openFileKms(path)
  for (const bad of ['{"format":2,"keys":["deadbeef"]}', 'deadbeef', '{"format":3}', '']) {
    await writeFile(path, bad)
    await assert.rejects(kms.wrap(randomBytes(32), 'x'), is('KmsUnavailable'))
    assert.throws(
      () => openFileKms(path),
      (error: unknown) =>
        error instanceof Error && !error.message.includes('deadbeef') && error.message.includes(path),
    )
  }
  await rm(path)
  await assert.rejects(kms.wrap(randomBytes(32), 'x'), is('KmsUnavailable'))
  await writeFile(path, good)
  assert.ok(await kms.wrap(randomBytes(32), 'x', 'a'))
})

test('names that fit no header are refused', async (t) => {
  const path = await keyStorePath(t)
  await createFileKms(path, { named: [] })
  for (const name of ['', 'a b', 'a\nb', 'ä', 'n'.repeat(257)]) {
    await assert.rejects(addNamedKeys(path, [name]), name)
  }
  assert.deepEqual(await namedKeys(path), [])
})
