import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { CustomerKey } from '../../gateway/object/customer-key.ts'
import { DataKeys, etagUnder, type Protection, type SealedDataKey } from '../../gateway/object/data-keys.ts'
import type { ObjectEncryption } from '../../node/core/object-encryption.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'
import type { Kms } from '../../node/world.ts'
import { MemoryKms } from '../sim/memory-kms.ts'

const is = (code: ClusterErrorCode) => (error: unknown) =>
  error instanceof ClusterError && error.code === code

async function bucketIn(kms: Kms, bucketId = 'b0c4e7'): Promise<Bucket> {
  return {
    name: 'akten',
    bucketId,
    ownerId: 'alice',
    createdMs: 0,
    poolId: 'default',
    wrappedKey: await kms.wrap(Buffer.alloc(32, 9), `bucket/${bucketId}`),
    state: 'active',
    attempt: 1,
  }
}

const customer = (byte: number) => new CustomerKey(Buffer.alloc(32, byte), 'md5 of the client')

const forms: [string, Protection | undefined, CustomerKey | undefined][] = [
  ['envelope-v1', undefined, undefined],
  ['kms-v1', { kind: 'kms', keyId: 'a' }, undefined],
  ['kms-v1', { kind: 'kms', keyId: 'a', context: 'e30=' }, undefined],
  ['kms-shared-v1', { kind: 'kms', keyId: 'a', bucketKey: true }, undefined],
  ['kms-shared-v1', { kind: 'kms', keyId: 'a', context: 'e30=', bucketKey: true }, undefined],
  ['customer-v1', { kind: 'customer', key: customer(1) }, customer(1)],
]

test('a data key of every form opens with what it was wrapped under, in another process too', async () => {
  const kms = new MemoryKms(['a'])
  const bucket = await bucketIn(kms)
  for (const [form, protection, customerKey] of forms) {
    const { key, wrapped, encryption } = await new DataKeys(kms).create(bucket, 'f00d', protection)
    assert.equal(wrapped.wrapping, `${form}:b0c4e7/f00d`)
    assert.ok(wrapped.bytes.length <= 1024, 'the catalog takes it')
    assert.ok(!Buffer.from(wrapped.bytes).includes(key))
    const sealed: SealedDataKey = { dataKey: wrapped, ...(encryption === undefined ? {} : { encryption }) }
    assert.ok((await new DataKeys(kms).open(bucket, sealed, customerKey)).equals(key), form)
  }
})

test('a wrapped data key opens for no other bucket, object, context, form or key, nor when a byte is changed', async () => {
  const kms = new MemoryKms(['a', 'b'])
  const bucket = await bucketIn(kms)
  const other = await bucketIn(kms, 'b0c4e8')
  const keys = new DataKeys(kms)
  for (const [form, protection, customerKey] of forms) {
    const { wrapped, encryption } = await keys.create(bucket, 'f00d', protection)
    const open = (dataKey = wrapped, how: ObjectEncryption | undefined = encryption, in_ = bucket) =>
      keys.open(in_, { dataKey, ...(how === undefined ? {} : { encryption: how }) }, customerKey)
    const fails = (opening: Promise<Buffer>, what: string) =>
      assert.rejects(opening, is('DecryptionFailed'), `${form} ${what}`)
    await fails(open(wrapped, encryption, other), 'in another bucket')
    const moved = { ...wrapped, wrapping: `${form}:b0c4e7/f00e` }
    await fails(open(moved), 'as another object')
    for (const name of ['envelope-v1', 'kms-v1', 'kms-shared-v1', 'customer-v1']) {
      if (name === form) continue
      await fails(open({ ...wrapped, wrapping: `${name}:b0c4e7/f00d` }), `as ${name}`)
    }
    if (encryption?.kind === 'kms') {
      await fails(open(wrapped, { ...encryption, keyId: 'b' }), 'with another named key')
      await fails(open(wrapped, { ...encryption, context: 'eyJhIjoiYiJ9' }), 'in another context')
    }
    if (encryption !== undefined) {
      await fails(keys.open(bucket, { dataKey: wrapped }, customerKey), 'without its second layer')
    }
    for (let at = 0; at < wrapped.bytes.length; at += 7) {
      const bytes = Buffer.from(wrapped.bytes)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      await fails(open({ ...wrapped, bytes }), `with byte ${at} changed`)
      await fails(open({ ...wrapped, bytes: bytes.subarray(0, at) }), `cut at ${at}`)
    }
  }
})

test('no customer key but the right one opens, and a version says nothing of which it was', async () => {
  const kms = new MemoryKms([])
  const bucket = await bucketIn(kms)
  const keys = new DataKeys(kms)
  const first = await keys.create(bucket, 'f1', { kind: 'customer', key: customer(1) })
  const second = await keys.create(bucket, 'f2', { kind: 'customer', key: customer(1) })
  const { encryption } = first
  assert.ok(encryption?.kind === 'customer' && second.encryption?.kind === 'customer')
  assert.ok(customer(1).opens(encryption))
  assert.ok(!customer(2).opens(encryption))
  assert.ok(!customer(1).opens({ ...encryption, verifier: encryption.verifier.subarray(1) }))
  assert.notDeepEqual(encryption.salt, second.encryption.salt)
  assert.notDeepEqual(encryption.verifier, second.encryption.verifier)
  const sealed = { dataKey: first.wrapped, encryption }
  await assert.rejects(keys.open(bucket, sealed, customer(2)), is('DecryptionFailed'))
  await assert.rejects(keys.open(bucket, sealed), is('DecryptionFailed'))
  // The verifier is not the wrapping key: what is stored opens nothing.
  assert.ok(!customer(1).wrappingKey(encryption.salt).equals(Buffer.from(encryption.verifier)))
  assert.throws(
    () => openEnvelope(encryption.verifier, first.wrapped.bytes, first.wrapped.wrapping),
    is('DecryptionFailed'),
  )
})

test('a customer key shows itself in no log line, error or JSON', () => {
  const bytes = randomBytes(32)
  const key = new CustomerKey(bytes, bytes.toString('base64'))
  const shown = [inspect(key, { showHidden: true, depth: 9 }), String(key), JSON.stringify({ key }), `${key}`]
  for (const text of shown) {
    for (const encoding of ['base64', 'hex', 'latin1'] as const) {
      assert.ok(!text.includes(bytes.toString(encoding)), text)
    }
    assert.ok(text.includes('[customer key]'))
  }
})

test('destroying any key on the way to a data key makes it unreadable', async () => {
  const lost: [number, (kms: MemoryKms) => void, ClusterErrorCode][] = [
    [0, (kms) => kms.destroy(), 'DecryptionFailed'],
    [1, (kms) => kms.destroy(), 'DecryptionFailed'],
    [1, (kms) => kms.destroy('a'), 'KmsKeyNotFound'],
    [3, (kms) => kms.destroy('a'), 'KmsKeyNotFound'],
    [5, (kms) => kms.destroy(), 'DecryptionFailed'],
  ]
  for (const [index, destroy, code] of lost) {
    const kms = new MemoryKms(['a'])
    const bucket = await bucketIn(kms)
    const [form, protection, customerKey] = forms[index] ?? assert.fail()
    const { wrapped, encryption } = await new DataKeys(kms).create(bucket, 'f00d', protection)
    destroy(kms)
    const sealed = { dataKey: wrapped, ...(encryption === undefined ? {} : { encryption }) }
    await assert.rejects(new DataKeys(kms).open(bucket, sealed, customerKey), is(code), form)
  }
})

test('an ETag under a customer key is no MD5, the same for the same bytes, another under another key', () => {
  const md5 = '9a0364b9e99bb480dd25e1f0284c8555'
  const encryption = customer(1).seal()
  const under = (byte: number) => etagUnder({ key: Buffer.alloc(32, byte), encryption }, md5)
  for (const other of [undefined, { kind: 'kms', keyId: 'a' }] as const) {
    assert.equal(etagUnder({ key: Buffer.alloc(32, 1), encryption: other }, md5), md5)
  }
  assert.equal(under(1), under(1))
  assert.match(under(1), /^[0-9a-f]{32}$/)
  assert.notEqual(under(1), md5)
  assert.notEqual(under(1), under(2))
  assert.equal(under(1), golden().etag, 'ETags outlive the process')
})

interface Golden {
  readonly etag: string
  readonly keys: readonly {
    /** The data key itself, hex: it encrypts nothing. */
    readonly key: string
    readonly wrapping: string
    readonly bytes: string
    readonly encryption?: Record<string, string | boolean>
  }[]
}

const file = new URL('../golden/data-keys-1.json', import.meta.url)

function golden(): Golden {
  return JSON.parse(readFileSync(file, 'utf8')) as Golden
}

/** Keys of one byte each. GOLDEN=write makes the file anew, after a format change only. */
const fixedKms: Kms = {
  wrap: async (secret, context, name) => sealEnvelope(fixedKey(name), secret, context),
  unwrap: async (bytes, context, name) => openEnvelope(fixedKey(name), bytes, context),
}

function fixedKey(name: string | undefined): Buffer {
  return Buffer.alloc(32, name === undefined ? 7 : 8)
}

test('data keys wrapped in every form before this commit still open', async () => {
  const bucket = await bucketIn(fixedKms)
  if (process.env.GOLDEN === 'write') await writeGolden(bucket)
  const { keys } = golden()
  assert.equal(keys.length, forms.length)
  for (const each of keys) {
    const dataKey = { wrapping: each.wrapping, bytes: Buffer.from(each.bytes, 'hex') }
    const encryption = each.encryption === undefined ? {} : { encryption: decode(each.encryption) }
    const opened = await new DataKeys(fixedKms).open(bucket, { dataKey, ...encryption }, customer(1))
    assert.equal(opened.toString('hex'), each.key, each.wrapping)
  }
})

function decode(encryption: Record<string, string | boolean>): ObjectEncryption {
  if (encryption.kind === 'kms') return encryption as unknown as ObjectEncryption
  const bytes = (name: string) => Buffer.from(String(encryption[name]), 'hex')
  return { kind: 'customer', salt: bytes('salt'), verifier: bytes('verifier') }
}

async function writeGolden(bucket: Bucket): Promise<void> {
  const keys: Golden['keys'][number][] = []
  for (const [, protection] of forms) {
    const { key, wrapped, encryption } = await new DataKeys(fixedKms).create(bucket, 'f00d', protection)
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    const shown =
      encryption?.kind === 'customer'
        ? { kind: 'customer', salt: hex(encryption.salt), verifier: hex(encryption.verifier) }
        : encryption
    keys.push({
      key: hex(key),
      wrapping: wrapped.wrapping,
      bytes: hex(wrapped.bytes),
      ...(shown === undefined ? {} : { encryption: { ...shown } }),
    })
  }
  const etag = etagUnder(
    { key: Buffer.alloc(32, 1), encryption: customer(1).seal() },
    '9a0364b9e99bb480dd25e1f0284c8555',
  )
  writeFileSync(file, `${JSON.stringify({ etag, keys }, null, 1)}\n`)
}
