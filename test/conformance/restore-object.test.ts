import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const document = '<RestoreRequest><Days>1</Days></RestoreRequest>'

test('RestoreObject has nothing to restore and says so', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k?restore`
  assertError(await at.s3.send({ method: 'POST', path, body: document }), 404, 'NoSuchKey')
  await putObject(at.s3, `/${bucket}/k`, 'x')
  const refused = await at.s3.send({ method: 'POST', path, body: document })
  assertError(refused, 403, 'InvalidObjectState')
  assert.equal(tag(refused.text, 'StorageClass'), 'STANDARD')
  assertError(await at.s3.send({ method: 'POST', path, body: '<Restore/>' }), 400, 'MalformedXML')
  assertError(await at.other.send({ method: 'POST', path, body: document }), 403, 'AccessDenied')
})
