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

const versioning = (inner: string) => `<VersioningConfiguration>${inner}</VersioningConfiguration>`
const status = (text: string) => versioning(`<Status>${text}</Status>`)

test('PutBucketVersioning switches on and suspends, as often as one likes', async () => {
  const document = await bucketDocument(at, 'versioning')
  for (const state of ['Suspended', 'Enabled', 'Enabled', 'Suspended']) {
    await putDocument(document, status(state))
    assert.equal(tag((await document.get()).text, 'Status'), state)
  }
})

test('PutBucketVersioning refuses other states, MFA delete, and strangers', async () => {
  const document = await bucketDocument(at, 'versioning')
  assertError(await document.put(versioning('')), 400, 'IllegalVersioningConfigurationException')
  assertError(await document.put(status('enabled')), 400, 'MalformedXML')
  assertError(await document.put('<Other/>'), 400, 'MalformedXML')
  const mfa = (text: string) => versioning(`<Status>Enabled</Status><MfaDelete>${text}</MfaDelete>`)
  assertError(await document.put(mfa('Enabled')), 501, 'NotImplemented')
  assertError(await document.put(status('Enabled'), at.other), 403, 'AccessDenied')
  assert.equal(tag((await document.get()).text, 'Status'), undefined)
  await putDocument(document, mfa('Disabled'))
  assert.equal(tag((await document.get()).text, 'Status'), 'Enabled')
})
