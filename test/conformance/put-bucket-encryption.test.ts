import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const encryption = (inner: string) =>
  `<ServerSideEncryptionConfiguration><Rule>${inner}</Rule></ServerSideEncryptionConfiguration>`
const byDefault = (algorithm: string, key = '') =>
  `<ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>${key}</ApplyServerSideEncryptionByDefault>`
const key = '<KMSMasterKeyID>testkey-1</KMSMasterKeyID>'

test('PutBucketEncryption keeps the algorithm and the key', async () => {
  const document = await bucketDocument(at, 'encryption')
  await putDocument(document, encryption(byDefault('AES256')))
  assert.equal(tag((await document.get()).text, 'SSEAlgorithm'), 'AES256')
  const kms = byDefault('aws:kms', key)
  await putDocument(document, encryption(`${kms}<BucketKeyEnabled>true</BucketKeyEnabled>`))
  const { text } = await document.get()
  assert.ok(text.includes(`<Rule>${kms}<BucketKeyEnabled>true</BucketKeyEnabled></Rule>`), text)
})

test('PutBucketEncryption refuses what it could not hold to, and strangers', async () => {
  const document = await bucketDocument(at, 'encryption')
  assertError(await document.put(encryption('')), 400, 'MalformedXML')
  assertError(await document.put(encryption(byDefault('DES'))), 400, 'MalformedXML')
  assertError(await document.put(encryption(byDefault('AES256', key))), 400, 'InvalidArgument')
  assertError(await document.put(encryption(byDefault('aws:kms:dsse'))), 501, 'NotImplemented')
  assertError(await document.put(encryption(byDefault('AES256')), at.other), 403, 'AccessDenied')
  assertError(await document.get(), 404, 'ServerSideEncryptionConfigurationNotFoundError')
})
