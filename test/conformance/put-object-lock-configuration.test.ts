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

const lock = (inner: string) =>
  `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${inner}</ObjectLockConfiguration>`
const rule = (inner: string) => `<Rule><DefaultRetention>${inner}</DefaultRetention></Rule>`
const day = rule('<Mode>GOVERNANCE</Mode><Days>1</Days>')
const status = (text: string) => `<VersioningConfiguration><Status>${text}</Status></VersioningConfiguration>`

test('PutObjectLockConfiguration needs versioning, and keeps it', async () => {
  const document = await bucketDocument(at, 'object-lock')
  const versioning = await bucketDocument(at, 'versioning', document.bucket)
  assertError(await document.put(lock(day)), 409, 'InvalidBucketState')
  await putDocument(versioning, status('Suspended'))
  assertError(await document.put(lock(day)), 409, 'InvalidBucketState')
  await putDocument(versioning, status('Enabled'))
  await putDocument(document, lock(day))
  assert.ok((await document.get()).text.includes(`<ObjectLockEnabled>Enabled</ObjectLockEnabled>${day}`))
  assertError(await versioning.put(status('Suspended')), 409, 'InvalidBucketState')
  assert.equal(tag((await versioning.get()).text, 'Status'), 'Enabled')
})

test('PutObjectLockConfiguration changes and removes the default retention, never the lock', async () => {
  const document = await bucketDocument(at, 'object-lock')
  await putDocument(await bucketDocument(at, 'versioning', document.bucket), status('Enabled'))
  await putDocument(document, lock(''))
  assert.equal(tag((await document.get()).text, 'ObjectLockEnabled'), 'Enabled')
  const years = rule('<Mode>COMPLIANCE</Mode><Years>3</Years>')
  await putDocument(document, lock(years))
  assert.ok((await document.get()).text.includes(years))
  await putDocument(document, lock(''))
  const { text } = await document.get()
  assert.equal(tag(text, 'Mode'), undefined)
  assert.equal(tag(text, 'ObjectLockEnabled'), 'Enabled')
})

test('PutObjectLockConfiguration refuses what is no retention, and strangers', async () => {
  const document = await bucketDocument(at, 'object-lock')
  await putDocument(await bucketDocument(at, 'versioning', document.bucket), status('Enabled'))
  const cases: readonly (readonly [string, string])[] = [
    [lock(rule('<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>')), 'MalformedXML'],
    [lock(rule('<Mode>GOVERNANCE</Mode>')), 'MalformedXML'],
    [lock(rule('<Mode>governance</Mode><Days>1</Days>')), 'MalformedXML'],
    [lock(rule('<Days>1</Days>')), 'MalformedXML'],
    [lock('<Rule/>'), 'MalformedXML'],
    [lock(rule('<Mode>GOVERNANCE</Mode><Days>0</Days>')), 'InvalidRetentionPeriod'],
    [lock(rule('<Mode>GOVERNANCE</Mode><Years>-1</Years>')), 'InvalidRetentionPeriod'],
    [lock(rule('<Mode>GOVERNANCE</Mode><Years>101</Years>')), 'InvalidRetentionPeriod'],
    [lock(day).replace('Enabled<', 'Disabled<'), 'MalformedXML'],
    [`<ObjectLockConfiguration>${day}</ObjectLockConfiguration>`, 'MalformedXML'],
  ]
  for (const [body, code] of cases) assertError(await document.put(body), 400, code)
  assertError(await document.put(lock(day), at.other), 403, 'AccessDenied')
  assertError(await document.get(), 404, 'ObjectLockConfigurationNotFoundError')
})
