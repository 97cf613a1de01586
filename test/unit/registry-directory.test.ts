import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigurationChanges } from '../../node/core/bucket-configuration.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import { registryLimits } from '../../node/core/registry-rows.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import { encodeRow } from '../../node/core/row-codec.ts'
import { openRegistry, putUser, reserve, setState } from './registry-fixture.ts'
import type { Driver } from './row-fixture.ts'

const remove = (name: string, bucketId: string, attempt: number) => ({
  kind: 'remove-bucket',
  name,
  bucketId,
  attempt,
})

async function find(driver: Driver, name: string): Promise<Bucket | undefined> {
  return (await answerRegistryQuery(driver.rows, { kind: 'bucket', name })).bucket
}

async function names(driver: Driver, ownerId: string | undefined, after = '', limit = 100) {
  const { buckets, truncated } = await answerRegistryQuery(driver.rows, {
    kind: 'buckets',
    ownerId,
    after,
    limit,
  })
  return [...buckets.map((bucket) => bucket.name), ...(truncated ? ['...'] : [])]
}

test('a bucket is reserved, becomes active, is deleted and gone', async () => {
  const driver = openRegistry()
  const command = reserve('akten', 'b1')
  driver.run(command)
  driver.run(command)
  assert.deepEqual(await find(driver, 'akten'), command.bucket)
  assert.deepEqual(driver.run(setState('akten', 'b1', ['creating'], 'active')), { attempt: 1 })
  assert.deepEqual(driver.run(setState('akten', 'b1', ['active'], 'deleting')), { attempt: 2 })
  driver.run(remove('akten', 'b1', 2))
  driver.run(remove('akten', 'b1', 2))
  assert.equal(await find(driver, 'akten'), undefined)
  assert.deepEqual(await names(driver, 'user-1'), [])
})

test('a name is taken once, and the refusal says by whom', () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1', 'user-1'))
  assert.deepEqual(driver.refused(reserve('akten', 'b2', 'user-2')), {
    code: 'BucketExists',
    details: { ownerId: 'user-1', state: 'creating', bucketId: 'b1' },
  })
})

test('a removed bucket does not come back under its id, and its name is free for another', () => {
  const driver = openRegistry()
  const command = reserve('akten', 'b1')
  driver.run(command)
  driver.run(setState('akten', 'b1', ['creating'], 'deleting'))
  driver.run(remove('akten', 'b1', 1))
  assert.equal(driver.refused(command).code, 'StaleBucket')
  driver.run(reserve('akten', 'b2'))
  driver.run(remove('akten', 'b1', 1))
  assert.equal(driver.refused(setState('akten', 'b1', ['creating'], 'active')).code, 'StaleBucket')
  assert.equal(driver.refused(setState('other', 'b9', ['creating'], 'active')).code, 'NoSuchBucket')
  assert.equal(driver.refused(remove('other', 'b9', 1)).code, 'NoSuchBucket')
})

test('the attempt rises with every change of state; those who ask for the state that it has share it', () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1'))
  const move = (from: readonly Bucket['state'][], to: Bucket['state']) =>
    driver.run(setState('akten', 'b1', from, to))
  assert.deepEqual(move(['creating'], 'creating'), { attempt: 0 })
  assert.deepEqual(move(['creating', 'active'], 'active'), { attempt: 1 })
  assert.deepEqual(move(['active', 'deleting'], 'deleting'), { attempt: 2 })
  assert.deepEqual(move(['active', 'deleting'], 'deleting'), { attempt: 2 })
  assert.deepEqual(move(['deleting'], 'active'), { attempt: 3 })
  assert.deepEqual(driver.refused(setState('akten', 'b1', ['creating'], 'active')), {
    code: 'StaleBucket',
    details: { state: 'active' },
  })
})

test('a bucket is removed only while it is being deleted, at the attempt under which it was closed', async () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1'))
  driver.run(setState('akten', 'b1', ['creating'], 'active'))
  assert.equal(driver.refused(remove('akten', 'b1', 1)).code, 'StaleBucket')
  driver.run(setState('akten', 'b1', ['active'], 'deleting'))
  driver.run(setState('akten', 'b1', ['deleting'], 'active'))
  driver.run(setState('akten', 'b1', ['active'], 'deleting'))
  assert.equal(driver.refused(remove('akten', 'b1', 2)).code, 'StaleBucket')
  assert.equal(driver.refused(remove('akten', 'b1', 3)).code, 'StaleBucket')
  driver.run(remove('akten', 'b1', 4))
  assert.equal(await find(driver, 'akten'), undefined)
})

test('buckets are listed by name, of one owner or of all, page by page', async () => {
  const driver = openRegistry()
  for (const [name, ownerId] of [
    ['b-2', 'u1'],
    ['a-1', 'u1'],
    ['c-3', 'u10'],
    ['b.1', 'u1'],
  ] as const) {
    driver.run(reserve(name, Buffer.from(name).toString('hex'), ownerId))
  }
  assert.deepEqual(await names(driver, 'u1'), ['a-1', 'b-2', 'b.1'])
  assert.deepEqual(await names(driver, 'u10'), ['c-3'])
  assert.deepEqual(await names(driver, 'u'), [])
  assert.deepEqual(await names(driver, undefined), ['a-1', 'b-2', 'b.1', 'c-3'])
  assert.deepEqual(await names(driver, 'u1', '', 2), ['a-1', 'b-2', '...'])
  assert.deepEqual(await names(driver, 'u1', 'b-2', 2), ['b.1'])
  assert.deepEqual(await names(driver, undefined, 'b', 3), ['b-2', 'b.1', 'c-3'])
  assert.deepEqual(await names(driver, 'u1', '', 0), [])
})

test('an owner has so many buckets and no more, until one is removed', () => {
  const driver = openRegistry()
  const max = registryLimits.bucketsPerOwnerMax
  for (let at = 0; at < max; at += 1) driver.run(reserve(`bucket-${at}`, at.toString(16)))
  assert.equal(driver.refused(reserve('one-more', 'ffff')).code, 'TooManyBuckets')
  driver.run(reserve('of-another', 'fffe', 'user-2'))
  driver.run(setState('bucket-0', '0', ['creating'], 'deleting'))
  driver.run(remove('bucket-0', '0', 1))
  driver.run(reserve('one-more', 'ffff'))
})

test('a bucket names a pool of the map and begins as creating', () => {
  const driver = openRegistry()
  assert.equal(driver.refused(reserve('akten', 'b1', 'u1', { poolId: 'gold' })).code, 'BadMessage')
  assert.equal(driver.refused(reserve('akten', 'b1', 'u1', { state: 'active' })).code, 'BadMessage')
  assert.equal(driver.refused(reserve('akten/x', 'b1')).code, 'BadMessage')
  assert.equal(driver.refused(reserve('akten', 'b1', 'u1/x')).code, 'BadMessage')
})

test('a credential is found with its user', async () => {
  const driver = openRegistry()
  driver.run(putUser('u1', 'AK1'))
  driver.run(putUser('u1', 'AK2'))
  const find1 = await answerRegistryQuery(driver.rows, { kind: 'credential', accessKeyId: 'AK1' })
  assert.deepEqual(find1.user, { userId: 'u1', name: 'User u1' })
  assert.equal(find1.credential?.state, 'active')
  assert.deepEqual([...(find1.credential?.sealedSecret ?? [])], [7])
  const none = await answerRegistryQuery(driver.rows, { kind: 'credential', accessKeyId: 'AK3' })
  assert.deepEqual(none, { credential: undefined, user: undefined })
  assert.deepEqual(await answerRegistryQuery(driver.rows, { kind: 'users' }), {
    users: [{ userId: 'u1', name: 'User u1' }],
  })
})

test('an access key belongs to one user, and once disabled it stays so', async () => {
  const driver = openRegistry()
  const late = putUser('u1', 'AK1')
  driver.run(late)
  assert.equal(driver.refused(putUser('u2', 'AK1')).code, 'Forbidden')
  driver.run({ kind: 'disable-credential', accessKeyId: 'AK1' })
  driver.run({ kind: 'disable-credential', accessKeyId: 'AK1' })
  driver.run(late)
  const { credential } = await answerRegistryQuery(driver.rows, { kind: 'credential', accessKeyId: 'AK1' })
  assert.equal(credential?.state, 'disabled')
  assert.equal(driver.refused({ kind: 'disable-credential', accessKeyId: 'AK9' }).code, 'BadMessage')
  const { user } = putUser('u1', 'AK5')
  assert.equal(driver.refused({ ...putUser('u2', 'AK5'), user }).code, 'BadMessage')
})

test('users and credentials are bounded', () => {
  const driver = openRegistry()
  driver.run(putUser('u0', 'AK0'))
  const full = { users: registryLimits.usersMax, credentials: registryLimits.credentialsMax }
  const users = { users: full.users, credentials: 5 }
  for (const [counts, command] of [
    [users, putUser('u1', 'AK1')],
    [{ ...full, users: 1 }, putUser('u0', 'AK1')],
  ] as const) {
    driver.rows.rows.set('c', encodeRow(counts))
    assert.equal(driver.refused(command).code, 'NoSpace')
    driver.run(putUser('u0', 'AK0', 8))
  }
})

test('malformed registry queries are refused', async () => {
  const driver = openRegistry()
  for (const query of [{ kind: 'x' }, { kind: 'map' }, { kind: 'buckets', after: '', limit: 1e9 }]) {
    await assert.rejects(answerRegistryQuery(driver.rows, query as never), { code: 'BadMessage' })
  }
})

const rules = (name: string, bucketId: string, change: WriteRulesChange) =>
  ({ kind: 'set-write-rules', name, bucketId, change }) as const

test('write rules count their revisions, and a repetition counts nothing', async () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1'))
  const enabled = { rules: { revision: 1, versioning: 'Enabled' } }
  assert.deepEqual(driver.run(rules('akten', 'b1', { versioning: 'Enabled' })), enabled)
  assert.deepEqual(driver.run(rules('akten', 'b1', { versioning: 'Enabled' })), enabled)
  driver.run(rules('akten', 'b1', { versioning: 'Suspended' }))
  assert.deepEqual((await find(driver, 'akten'))?.writeRules, { revision: 2, versioning: 'Suspended' })
  assert.equal(driver.refused(rules('akten', 'b2', { versioning: 'Enabled' })).code, 'StaleBucket')
  assert.equal(driver.refused(rules('nichts', 'b1', { versioning: 'Enabled' })).code, 'NoSuchBucket')
})

test('Object Lock turns versioning on, stays on, and forbids its suspension', async () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1'))
  const defaultRetention = { mode: 'COMPLIANCE', days: 30 } as const
  driver.run(rules('akten', 'b1', { objectLock: { defaultRetention } }))
  assert.equal(driver.refused(rules('akten', 'b1', { versioning: 'Suspended' })).code, 'WriteRulesConflict')
  driver.run(rules('akten', 'b1', { objectLock: {} }))
  assert.deepEqual((await find(driver, 'akten'))?.writeRules, {
    revision: 2,
    versioning: 'Enabled',
    objectLock: {},
  })
})

test('documents of a bucket are set, replaced and removed one by one, within a bound', async () => {
  const driver = openRegistry()
  driver.run(reserve('akten', 'b1'))
  const configure = (changes: ConfigurationChanges) =>
    ({ kind: 'configure-bucket', name: 'akten', bucketId: 'b1', changes }) as const
  driver.run(configure({ tags: { land: 'by' }, policy: '{}' }))
  driver.run(configure({ tags: { land: 'nw' } }))
  assert.deepEqual((await find(driver, 'akten'))?.configuration, { tags: { land: 'nw' }, policy: '{}' })
  driver.run(configure({ policy: null }))
  assert.deepEqual((await find(driver, 'akten'))?.configuration, { tags: { land: 'nw' } })
  const large = Array.from({ length: 10 }, (_, at) => ({
    id: `${at}`,
    kind: 'topic' as const,
    target: 'x'.repeat(60_000),
    events: [],
  }))
  assert.deepEqual(driver.refused(configure({ notifications: large })), {
    code: 'NoSpace',
    details: { configurationBytesMax: registryLimits.configurationBytesMax },
  })
  const broken = { ...configure({}), changes: { lifecycle: [{ id: 'r', enabled: 'yes', filter: {} }] } }
  assert.equal(driver.refused(broken).code, 'BadMessage')
})
