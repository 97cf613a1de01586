import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addProtection,
  asksForBypass,
  checkProtectedUpload,
  decodeLegalHold,
  decodeProtection,
  decodeRetention,
  encodeLegalHold,
  encodeRetention,
  requireFuture,
  requireObjectLock,
} from '../../../gateway/s3/retention.ts'
import { parseXml } from '../../../gateway/s3/xml.ts'
import type { WriteRules } from '../../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../../node/core/registry-types.ts'
import { codeOf } from './s3-error-of.ts'

const nowMs = Date.UTC(2026, 0, 1)
const untilMs = Date.UTC(2030, 0, 1)
const until = '2030-01-01T00:00:00Z'

const headers = (mode?: string, date?: string, hold?: string) => ({
  ...(mode === undefined ? {} : { 'x-amz-object-lock-mode': mode }),
  ...(date === undefined ? {} : { 'x-amz-object-lock-retain-until-date': date }),
  ...(hold === undefined ? {} : { 'x-amz-object-lock-legal-hold': hold }),
})

test('lock headers are a whole retention, a hold, both, or nothing', () => {
  assert.deepEqual(decodeProtection({}), {})
  const retention = { mode: 'COMPLIANCE', untilMs }
  assert.deepEqual(decodeProtection(headers('COMPLIANCE', until)), { retention })
  assert.deepEqual(decodeProtection(headers(undefined, undefined, 'ON')), { legalHold: true })
  assert.deepEqual(decodeProtection(headers('COMPLIANCE', until, 'OFF')), {
    retention,
    legalHold: false,
  })
})

test('lock headers that are half or misspelt are InvalidArgument', () => {
  const bad = [
    headers('COMPLIANCE'),
    headers(undefined, until),
    headers('compliance', until),
    headers('', until),
    headers('GOVERNANCE', 'tomorrow'),
    headers('GOVERNANCE', '2030-01-01'),
    headers('GOVERNANCE', '2030-02-31T99:00:00Z'),
    headers(undefined, undefined, 'on'),
    headers(undefined, undefined, ''),
  ]
  for (const each of bad) {
    assert.equal(
      codeOf(() => decodeProtection(each)),
      'InvalidArgument',
      JSON.stringify(each),
    )
  }
})

test('dates with fractions, offsets or no zone mean what ISO 8601 says, and are shown in full', () => {
  const read = (date: string) => decodeProtection(headers('GOVERNANCE', date)).retention?.untilMs
  assert.equal(read('2030-01-01T00:00:00.123Z'), untilMs + 123)
  assert.equal(read('2030-01-01T01:00:00+01:00'), untilMs)
  assert.equal(read('2030-01-01T00:00:00'), untilMs)
  assert.equal(read('2030-01-01T00:00:00.123456789Z'), untilMs + 123)
  const shown: Record<string, string> = {}
  addProtection({ retention: { mode: 'GOVERNANCE', untilMs: untilMs + 123 }, legalHold: false }, shown)
  assert.deepEqual(shown, headers('GOVERNANCE', '2030-01-01T00:00:00.123Z', 'OFF'))
})

const retentionOf = (xml: string) => decodeRetention(parseXml(Buffer.from(xml), 'Retention'))

test('a retention document is read back as it was written; an empty one takes it away', () => {
  for (const mode of ['GOVERNANCE', 'COMPLIANCE'] as const) {
    assert.deepEqual(retentionOf(encodeRetention({ mode, untilMs })), { mode, untilMs })
  }
  assert.equal(retentionOf('<Retention/>'), null)
  assert.equal(
    codeOf(() => encodeRetention(undefined)),
    'NoSuchObjectLockConfiguration',
  )
})

test('retention documents that are none are MalformedXML', () => {
  const mode = '<Mode>GOVERNANCE</Mode>'
  const date = `<RetainUntilDate>${until}</RetainUntilDate>`
  const bad: Record<string, string> = {
    [mode]: 'MalformedXML',
    [date]: 'MalformedXML',
    [`<Mode>governance</Mode>${date}`]: 'MalformedXML',
    [`${mode}${date}${date}`]: 'MalformedXML',
    [`${mode}${date}<Days>1</Days>`]: 'MalformedXML',
    [`${mode}<RetainUntilDate>1</RetainUntilDate>`]: 'MalformedXML',
  }
  for (const [inner, code] of Object.entries(bad)) {
    assert.equal(
      codeOf(() => retentionOf(`<Retention>${inner}</Retention>`)),
      code,
      inner,
    )
  }
})

test('a legal hold document says ON or OFF', () => {
  const hold = (xml: string) => decodeLegalHold(parseXml(Buffer.from(xml), 'LegalHold'))
  assert.equal(hold(encodeLegalHold(true)), true)
  assert.equal(hold(encodeLegalHold(false)), false)
  for (const xml of ['<LegalHold/>', '<LegalHold><Status>on</Status></LegalHold>']) {
    assert.equal(
      codeOf(() => hold(xml)),
      'MalformedXML',
      xml,
    )
  }
  assert.equal(
    codeOf(() => encodeLegalHold(undefined)),
    'NoSuchObjectLockConfiguration',
  )
})

test('a retention must end in the future, and a protected upload needs a digest', () => {
  const ending = (ms: number) => ({ mode: 'GOVERNANCE' as const, untilMs: ms })
  const code = (ms: number) => codeOf(() => requireFuture(ending(ms), nowMs))
  assert.deepEqual(
    [code(nowMs - 1), code(nowMs), code(nowMs + 1)],
    ['InvalidArgument', 'InvalidArgument', 'no error'],
  )
  requireFuture(null, nowMs)
  requireFuture(undefined, nowMs)
  const defaultRetention = { mode: 'GOVERNANCE' as const, days: 1 }
  const locked = bucket({ revision: 1, versioning: 'Enabled', objectLock: {} })
  const preset = bucket({ revision: 1, versioning: 'Enabled', objectLock: { defaultRetention } })
  const upload = (of: Bucket, hasDigest: boolean, retention = true) =>
    codeOf(() =>
      checkProtectedUpload(retention ? { retention: ending(untilMs) } : {}, {
        bucket: of,
        nowMs,
        hasDigest,
      }),
    )
  assert.deepEqual(
    [upload(locked, false), upload(locked, true), upload(locked, false, false), upload(preset, false, false)],
    ['InvalidRequest', 'no error', 'no error', 'InvalidRequest'],
  )
})

function bucket(writeRules?: WriteRules): Bucket {
  return {
    name: 'b',
    bucketId: '0a',
    ownerId: 'o',
    createdMs: 0,
    poolId: 'default',
    wrappedKey: new Uint8Array(0),
    state: 'active',
    attempt: 1,
    ...(writeRules === undefined ? {} : { writeRules }),
  }
}

test('lock parameters need a bucket with Object Lock, and bypass is asked for by one word', () => {
  const enabled: WriteRules = { revision: 1, versioning: 'Enabled' }
  for (const rules of [undefined, enabled]) {
    assert.equal(
      codeOf(() => requireObjectLock(bucket(rules))),
      'InvalidRequest',
    )
  }
  requireObjectLock(bucket({ ...enabled, objectLock: {} }))
  const asks = (text: string) => asksForBypass({ 'x-amz-bypass-governance-retention': text })
  assert.deepEqual([asks('true'), asks('TRUE'), asks('false'), asks('1')], [true, true, false, false])
  assert.equal(asksForBypass({}), false)
})
