import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expirationHeader } from '../../../gateway/s3/expiration.ts'
import type { Bucket } from '../../../node/core/registry-types.ts'

const bucket: Bucket = {
  name: 'akten',
  bucketId: 'b1',
  ownerId: 'u',
  createdMs: 0,
  poolId: 'default',
  wrappedKey: new Uint8Array(0),
  state: 'active',
  attempt: 1,
}
const version = { key: 'akten/a', modifiedMs: Date.UTC(2026, 10, 27, 9), bytes: 1, tags: undefined }

test('x-amz-expiration tells the midnight and the rule, its id URL-encoded', () => {
  const lifecycle = [{ id: 'nach 30 "Tagen"', enabled: true, filter: {}, expiration: { days: 30 } }]
  assert.deepEqual(expirationHeader({ ...bucket, configuration: { lifecycle } }, version), {
    'x-amz-expiration': 'expiry-date="Mon, 28 Dec 2026 00:00:00 GMT", rule-id="nach%2030%20%22Tagen%22"',
  })
})

test('without a rule that matches there is no x-amz-expiration', () => {
  assert.deepEqual(expirationHeader(bucket, version), {})
  const filter = { tags: { a: '1' } }
  const lifecycle = [{ id: 'r', enabled: true, filter, expiration: { days: 30 } }]
  const configured = { ...bucket, configuration: { lifecycle } }
  assert.deepEqual(expirationHeader(configured, version), {})
  assert.ok(expirationHeader(configured, { ...version, tags: { a: '1' } })['x-amz-expiration'])
})
