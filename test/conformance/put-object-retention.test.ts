import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, contentMd5, putObject, putVersion, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

type Mode = 'GOVERNANCE' | 'COMPLIANCE'

/** A time `hours` from now, whole seconds. */
function inHours(hours: number): string {
  return new Date(Math.floor(Date.now() / 1000 + hours * 3600) * 1000).toISOString()
}

function document(mode: string, until: string): string {
  return `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`
}

const bypass = { 'x-amz-bypass-governance-retention': 'true' }

function retain(path: string, body: string, headers: Record<string, string> = {}) {
  const [key, query] = path.split('?')
  return at.s3.send({
    method: 'PUT',
    path: `${key}?retention${query === undefined ? '' : `&${query}`}`,
    body,
    headers: { 'content-md5': contentMd5(body), ...headers },
  })
}

async function retentionOf(path: string): Promise<string> {
  const { text } = await at.s3.send({ path: `${path}?retention` })
  return `${tag(text, 'Mode')} ${tag(text, 'RetainUntilDate')}`
}

test('PutObjectRetention protects the newest version, or the one that is named', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  const first = await putVersion(at.s3, path, '1')
  const second = await putVersion(at.s3, path, '2')
  const until = inHours(1)
  const answer = await retain(path, document('GOVERNANCE', until))
  assert.deepEqual([answer.status, answer.text], [200, ''])
  assert.equal(await retentionOf(path), `GOVERNANCE ${until}`)
  const remove = (versionId: string, headers = {}) =>
    at.s3.send({ method: 'DELETE', path: `${path}?versionId=${versionId}`, headers })
  assertError(await remove(second), 403, 'AccessDenied')
  assert.equal((await retain(`${path}?versionId=${first}`, document('COMPLIANCE', until))).status, 200)
  assertError(await remove(first, bypass), 403, 'AccessDenied')
  assert.equal((await remove(second, bypass)).status, 204)
})

test('PutObjectRetention lengthens freely, and shortens or changes governance with bypass only', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  await putVersion(at.s3, path)
  const set = (mode: Mode, hours: number, headers = {}) =>
    retain(path, document(mode, inHours(hours)), headers)
  assert.equal((await set('GOVERNANCE', 2)).status, 200)
  assert.equal((await set('GOVERNANCE', 3)).status, 200)
  assertError(await set('GOVERNANCE', 1), 403, 'AccessDenied')
  assertError(await set('COMPLIANCE', 4), 403, 'AccessDenied')
  assertError(await retain(path, '<Retention/>'), 403, 'AccessDenied')
  assert.equal((await set('GOVERNANCE', 1, bypass)).status, 200)
  assert.equal((await retain(path, '<Retention/>', bypass)).status, 200)
  assertError(await at.s3.send({ path: `${path}?retention` }), 404, 'NoSuchObjectLockConfiguration')
  assert.equal((await set('GOVERNANCE', 1)).status, 200)
  assert.equal((await set('COMPLIANCE', 2, bypass)).status, 200)
})

test('PutObjectRetention never weakens a compliance retention', async () => {
  const path = `/${await at.bucket({ objectLock: true })}/k`
  await putVersion(at.s3, path)
  const until = inHours(2)
  assert.equal((await retain(path, document('COMPLIANCE', until))).status, 200)
  for (const body of [
    document('COMPLIANCE', inHours(1)),
    document('GOVERNANCE', inHours(3)),
    document('GOVERNANCE', until),
    '<Retention/>',
  ]) {
    for (const headers of [{}, bypass]) assertError(await retain(path, body, headers), 403, 'AccessDenied')
  }
  assert.equal(await retentionOf(path), `COMPLIANCE ${until}`)
  assert.equal((await retain(path, document('COMPLIANCE', inHours(3)))).status, 200)
})

test('PutObjectRetention refuses what is no retention, and buckets and keys that can have none', async () => {
  const bucket = await at.bucket({ objectLock: true })
  const path = `/${bucket}/k`
  const right = document('GOVERNANCE', inHours(1))
  assertError(await retain(path, right), 404, 'NoSuchKey')
  const version = await putVersion(at.s3, path)
  for (const body of [
    document('governance', inHours(1)),
    document('GOVERNANCE', 'soon'),
    '<Retention>',
    '',
  ]) {
    assertError(await retain(path, body), 400, 'MalformedXML')
  }
  assertError(await retain(path, document('GOVERNANCE', inHours(-1))), 400, 'InvalidArgument')
  assertError(await retain(`${path}?versionId=${'0'.repeat(32)}`, right), 404, 'NoSuchVersion')
  assertError(await retain(`${path}?versionId=no`, right), 400, 'InvalidArgument')
  const stranger = await at.other.send({ method: 'PUT', path: `${path}?retention`, body: right })
  assertError(stranger, 403, 'AccessDenied')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path }))
  assertError(await retain(path, right), 405, 'MethodNotAllowed')
  assertError(await retain(`${path}?versionId=${marker}`, right), 405, 'MethodNotAllowed')
  assert.equal((await retain(`${path}?versionId=${version}`, right)).status, 200)
  const plain = `/${await at.bucket()}/k`
  await putObject(at.s3, plain)
  assertError(await retain(plain, right), 400, 'InvalidRequest')
})
