import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { ObjectEncryption } from '../../node/core/object-encryption.ts'
import { bucketId, complete, createUpload, openCatalog, put, putPart, upload } from './catalog-fixture.ts'
import { MemoryRows } from './row-fixture.ts'

const kms: ObjectEncryption = {
  kind: 'kms',
  keyId: 'akten-2026',
  context: 'eyJha3RlIjoiMSJ9',
  bucketKey: true,
}
const customer: ObjectEncryption = {
  kind: 'customer',
  salt: new Uint8Array(16).fill(3),
  verifier: new Uint8Array(32).fill(5),
}

function putEncrypted(key: string, versionId: string, blobId: string, encryption: unknown) {
  const command = put(key, versionId, [blobId])
  return { ...command, version: { ...command.version, encryption } }
}

/** Rows outlive processes: this file holds their bytes. GOLDEN=write makes it anew, after a format change only. */
test('versions and uploads keep how they are encrypted, in rows that are byte for byte the golden ones', async () => {
  const driver = openCatalog()
  driver.run(putEncrypted('kms', 'f1', 'b1', kms))
  driver.run(putEncrypted('customer', 'f2', 'b2', customer))
  driver.run({ kind: 'create-upload', bucketId, upload: { ...upload('e1', 'upload'), encryption: customer } })
  const shown = [...driver.rows.rows]
    .filter(([key]) => /^[ou]\//.test(key))
    .map(([key, value]) => [key, Buffer.from(value).toString('hex')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const file = new URL('../golden/rows/encryption-1.json', import.meta.url)
  if (process.env.GOLDEN === 'write') writeFileSync(file, `${JSON.stringify(shown, null, 1)}\n`)
  const kept = JSON.parse(readFileSync(file, 'utf8')) as [string, string][]
  assert.deepEqual(shown, kept)

  const rows = new MemoryRows()
  for (const [key, value] of driver.rows.rows) rows.rows.set(key, value)
  for (const [key, hex] of kept) rows.rows.set(key, new Uint8Array(Buffer.from(hex, 'hex')))
  const find = async (key: string) =>
    (await answerCatalogQuery(rows, { kind: 'find-object', bucketId, key, blobsFor: 'none' })).version
      ?.encryption
  assert.deepEqual(await find('kms'), kms)
  const read = await find('customer')
  assert.ok(read?.kind === 'customer')
  assert.deepEqual([[...read.salt], [...read.verifier]], [[...customer.salt], [...customer.verifier]])
})

test('a completed upload hands its encryption over to the version', async () => {
  const driver = openCatalog()
  driver.run({ kind: 'create-upload', bucketId, upload: { ...upload('e1', 'k'), encryption: kms } })
  driver.run(putPart('k', 'e1', 1, 'aa'))
  driver.run(complete('k', 'e1', [[1, 'aa']]))
  driver.run(createUpload('plain', 'e2'))
  driver.run(putPart('plain', 'e2', 1, 'bb'))
  driver.run(complete('plain', 'e2', [[1, 'bb']]))
  const version = async (key: string) =>
    (await answerCatalogQuery(driver.rows, { kind: 'find-object', bucketId, key, blobsFor: 'none' })).version
  assert.deepEqual((await version('k'))?.encryption, kms)
  assert.equal((await version('plain'))?.encryption, undefined)
})

test('what is not an encryption is refused before any row is written', () => {
  const refused: unknown[] = [
    { kind: 'clear' },
    { kind: 'kms' },
    { kind: 'kms', keyId: 'k'.repeat(257) },
    { kind: 'kms', keyId: 'k', bucketKey: 'yes' },
    { kind: 'customer', salt: new Uint8Array(16) },
    { kind: 'customer', salt: new Uint8Array(17), verifier: new Uint8Array(32) },
    { kind: 'customer', salt: 'text', verifier: new Uint8Array(32) },
    'AES256',
  ]
  for (const encryption of refused) {
    assert.equal(openCatalog().refused(putEncrypted('k', 'f1', 'b1', encryption)).code, 'BadMessage')
    const begin = { kind: 'create-upload', bucketId, upload: { ...upload('e1', 'k'), encryption } }
    assert.equal(openCatalog().refused(begin).code, 'BadMessage')
  }
})
