import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const logging = (inner: string) =>
  `<BucketLoggingStatus><LoggingEnabled>${inner}</LoggingEnabled></BucketLoggingStatus>`
const target = (bucket: string) => `<TargetBucket>${bucket}</TargetBucket><TargetPrefix>log/</TargetPrefix>`

test('PutBucketLogging names a bucket of the same owner, a prefix and a form of keys, until it is emptied', async () => {
  const document = await bucketDocument(at, 'logging')
  const log = await at.bucket()
  const forms = [
    '',
    '<TargetObjectKeyFormat><SimplePrefix></SimplePrefix></TargetObjectKeyFormat>',
    '<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>',
  ]
  for (const form of forms) {
    const inner = target(log) + form
    await putDocument(document, logging(inner))
    const { text } = await document.get()
    assert.ok(text.includes(`<LoggingEnabled>${inner}</LoggingEnabled>`), text)
  }
  await putDocument(document, '<BucketLoggingStatus/>')
  assert.ok(!(await document.get()).text.includes('LoggingEnabled'))
})

test('PutBucketLogging refuses targets that are not there, of others, or that lock what they get', async () => {
  const document = await bucketDocument(at, 'logging')
  const code = 'InvalidTargetBucketForLogging'
  assertError(await document.put(logging(target(`${document.bucket}-not`))), 400, code)
  assertError(await document.put(logging(target('No Bucket'))), 400, code)
  const theirs = `${document.bucket}-theirs`
  assert.equal((await at.other.send({ method: 'PUT', path: `/${theirs}` })).status, 200)
  assertError(await document.put(logging(target(theirs))), 400, code)
  const locked = `${document.bucket}-locked`
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${locked}`, headers })).status, 200)
  await putDocument(await bucketDocument(at, 'logging'), logging(target(locked)))
  await putDocument(
    await bucketDocument(at, 'object-lock', locked),
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>',
  )
  assertError(await document.put(logging(target(locked))), 400, code)
})

test('PutBucketLogging refuses what is no logging document, and strangers', async () => {
  const document = await bucketDocument(at, 'logging')
  const good = target(await at.bucket())
  const form = (inner: string) => `${good}<TargetObjectKeyFormat>${inner}</TargetObjectKeyFormat>`
  const source = '<PartitionedPrefix><PartitionDateSource>Noon</PartitionDateSource></PartitionedPrefix>'
  assertError(await document.put(logging('<TargetPrefix/>')), 400, 'MalformedXML')
  assertError(await document.put(logging('<TargetBucket>a</TargetBucket>')), 400, 'MalformedXML')
  assertError(await document.put(logging(form(source))), 400, 'MalformedXML')
  assertError(await document.put(logging(form(''))), 400, 'MalformedXML')
  const grants = '<TargetGrants><Grant><Permission>READ</Permission></Grant></TargetGrants>'
  assertError(await document.put(logging(good + grants)), 501, 'NotImplemented')
  assertError(await document.put(logging(good), at.other), 403, 'AccessDenied')
  assert.ok(!(await document.get()).text.includes('LoggingEnabled'))
})
