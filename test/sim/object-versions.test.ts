/** Versions and Object Lock as a gateway sees them: the real object store over the real state machines, in this process. */
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  type BodySource,
  type FoundObject,
  objectOf,
  shownVersionId,
} from '../../gateway/object/object-store.ts'
import type { ListedVersion } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { systemClock } from '../../node/io/system-world.ts'
import type { Clock } from '../../node/world.ts'
import { MemoryFederation } from './memory-federation.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Every request has an id of its own: what is repeated under one is answered from memory. */
const context = () => ({ requestId: randomUUID() })
const noConditions = { conditions: {} }

/** What is added to the clocks of the gateway and of the nodes. */
const ahead = { gatewayMs: 0, nodesMs: 0 }

function clockAhead(of: keyof typeof ahead): Clock {
  return { ...systemClock, wallMs: () => systemClock.wallMs() + ahead[of] }
}

let federation: MemoryFederation
let buckets = 0

before(async () => {
  const gatewayClock = clockAhead('gatewayMs')
  federation = await MemoryFederation.start({ gatewayClock, nodeClock: clockAhead('nodesMs') })
})
after(() => federation.close())

async function newBucket(rules?: 'versioned' | 'locked'): Promise<Bucket> {
  buckets += 1
  const name = `bucket-${buckets}`
  const bucket = await federation.store.createBucket({ name, ownerId: 'owner' }, context())
  if (rules === undefined) return bucket
  const change = rules === 'locked' ? { objectLock: {} } : { versioning: 'Enabled' as const }
  return changed(bucket, change)
}

async function changed(
  bucket: Bucket,
  change: Parameters<MemoryFederation['store']['setWriteRules']>[1],
): Promise<Bucket> {
  await federation.store.setWriteRules(bucket, change, context())
  return (await federation.store.findBucket(bucket.name)) ?? assert.fail('the bucket is there')
}

function bodyOf(text: string): BodySource {
  const bytes = Buffer.from(text)
  return {
    bytes: bytes.length,
    chunks: (async function* () {
      yield bytes
    })(),
    finish: async () => ({ md5: createHash('md5').update(bytes).digest('hex'), checksum: undefined }),
  }
}

function put(
  bucket: Bucket,
  key: string,
  text: string,
  extra: Partial<Parameters<MemoryFederation['store']['putObject']>[0]> = {},
) {
  const metadata = { user: {}, system: {} }
  const body = bodyOf(text)
  return federation.store.putObject(
    { bucket, key, ownerId: 'writer', metadata, body, conditions: {}, ...extra },
    context(),
  )
}

function find(bucket: Bucket, key: string, versionId?: string): Promise<FoundObject | undefined> {
  return federation.store.findObject({ bucket, key, versionId, expect: 'all' }, context())
}

/** The text of a version; `marker` for a delete marker, undefined when there is nothing. */
async function read(bucket: Bucket, key: string, versionId?: string): Promise<string | undefined> {
  const found = await find(bucket, key, versionId)
  const object = objectOf(found)
  if (object === undefined) return found === undefined ? undefined : 'marker'
  const chunks: Buffer[] = []
  const range = { firstByte: 0, lastByte: object.version.bytes - 1 }
  for await (const chunk of object.read(range)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

function del(bucket: Bucket, key: string) {
  return federation.store.deleteObject({ bucket, key, ...noConditions }, context())
}

function delVersion(bucket: Bucket, key: string, versionId: string, bypassGovernance = false) {
  return federation.store.deleteVersion(
    { bucket, key, versionId, bypassGovernance, ...noConditions },
    context(),
  )
}

async function listed(bucket: Bucket): Promise<string[]> {
  const query = { prefix: '', delimiter: '', afterKey: '', afterVersionId: '', limit: 100 }
  const { items } = await federation.store.listVersions({ bucket, ...query }, context())
  return items.map((item: ListedVersion) => {
    return `${item.key} ${item.kind} ${item.versioned === true ? 'id' : 'null'}${item.isLatest ? ' latest' : ''}`
  })
}

test('a versioned bucket keeps what is overwritten and deleted, and gives it back by its id', async () => {
  const bucket = await newBucket('versioned')
  const first = await put(bucket, 'k', 'one')
  const second = await put(bucket, 'k', 'x'.repeat(100_000))
  assert.deepEqual([first.versioning, second.versioning], ['Enabled', 'Enabled'])
  const { existed, marker } = await del(bucket, 'k')
  assert.deepEqual([existed, marker?.versioned], [true, true])
  assert.equal(await read(bucket, 'k'), 'marker')
  assert.equal(await read(bucket, 'k', first.versionId), 'one')
  assert.equal((await read(bucket, 'k', second.versionId))?.length, 100_000)
  assert.equal(await read(bucket, 'k', marker?.versionId), 'marker')
  assert.equal(await read(bucket, 'k', '0'.repeat(32)), undefined)
  assert.equal(await read(bucket, 'k', 'null'), undefined)
  assert.deepEqual(await listed(bucket), ['k marker id latest', 'k version id', 'k version id'])

  assert.deepEqual(await delVersion(bucket, 'k', marker?.versionId ?? ''), { existed: true, wasMarker: true })
  assert.equal((await read(bucket, 'k'))?.length, 100_000)
  assert.deepEqual(await delVersion(bucket, 'k', second.versionId), { existed: true, wasMarker: false })
  assert.equal(await read(bucket, 'k'), 'one')
  assert.deepEqual(await delVersion(bucket, 'k', second.versionId), { existed: false, wasMarker: false })
  await assert.rejects(federation.store.deleteBucket(bucket, context()), { code: 'BucketNotEmpty' })
  await delVersion(bucket, 'k', first.versionId)
  assert.deepEqual(await listed(bucket), [])
  await federation.store.deleteBucket(bucket, context())
})

test('what was there before versioning is the null version; suspended, writes replace only that', async () => {
  const bucket = await newBucket()
  assert.equal((await put(bucket, 'k', 'before')).versioning, 'Off')
  const enabled = await changed(bucket, { versioning: 'Enabled' })
  const { versionId } = await put(enabled, 'k', 'versioned')
  assert.equal(await read(enabled, 'k', 'null'), 'before')
  const suspended = await changed(enabled, { versioning: 'Suspended' })
  assert.equal((await put(suspended, 'k', 'null one')).versioning, 'Suspended')
  assert.deepEqual(await listed(suspended), ['k version null latest', 'k version id'])
  assert.equal((await put(suspended, 'k', 'null two')).versioning, 'Suspended')
  assert.equal(await read(suspended, 'k', 'null'), 'null two')
  const { marker } = await del(suspended, 'k')
  assert.equal(shownVersionId(marker ?? assert.fail('a marker')), 'null')
  assert.deepEqual(await listed(suspended), ['k marker null latest', 'k version id'])
  await delVersion(suspended, 'k', 'null')
  assert.equal(await read(suspended, 'k'), 'versioned')
  assert.equal(await read(suspended, 'k', versionId), 'versioned')
})

test('a gateway that does not know yet that versioning is on overwrites nothing', async () => {
  const stale = await newBucket()
  await put(stale, 'k', 'one')
  await federation.store.setWriteRules(stale, { versioning: 'Enabled' }, context())
  assert.equal((await put(stale, 'k', 'two')).versioning, 'Enabled')
  assert.ok((await del(stale, 'k')).marker)
  assert.deepEqual(await listed(stale), ['k marker id latest', 'k version id', 'k version null'])
})

test('a change of the write rules that reached no group is made up for by the next write', async () => {
  const bucket = await newBucket()
  await put(bucket, 'k', 'one')
  // As a gateway that died between the registry and the groups.
  const { rules } = await federation.client.router.proposeRegistry('half-done', {
    kind: 'set-write-rules',
    name: bucket.name,
    bucketId: bucket.bucketId,
    change: { versioning: 'Enabled' },
  })
  const known = { ...bucket, writeRules: rules }
  assert.equal((await put(known, 'k', 'two')).versioning, 'Enabled')
  assert.deepEqual(await listed(known), ['k version id latest', 'k version null'])
  assert.ok((await del(known, 'other')).marker, 'and in every other group')
})

test('a retained version can be removed by nobody, a governed one by those who may', async () => {
  const bucket = await newBucket('locked')
  const untilMs = Date.now() + dayMs
  const kept = await put(bucket, 'k', 'evidence', {
    attributes: { retention: { mode: 'COMPLIANCE', untilMs } },
  })
  const governed = await put(bucket, 'k', 'draft', {
    attributes: { retention: { mode: 'GOVERNANCE', untilMs } },
  })
  const held = await put(bucket, 'k', 'held', { attributes: { legalHold: true } })
  for (const { versionId } of [kept, governed, held]) {
    await assert.rejects(delVersion(bucket, 'k', versionId), { code: 'WormProtected' })
  }
  await assert.rejects(delVersion(bucket, 'k', kept.versionId, true), { code: 'WormProtected' })
  await assert.rejects(delVersion(bucket, 'k', held.versionId, true), { code: 'WormProtected' })
  assert.equal((await delVersion(bucket, 'k', governed.versionId, true)).existed, true)
  const at = { bucket, key: 'k', bypassGovernance: true }
  await federation.store.amendVersion({ ...at, change: { kind: 'legal-hold', on: false } }, context())
  await delVersion(bucket, 'k', held.versionId)
  assert.equal(await read(bucket, 'k'), 'evidence')

  const shorter = { kind: 'retention', retention: { mode: 'COMPLIANCE', untilMs: untilMs - 1 } } as const
  const longer = { kind: 'retention', retention: { mode: 'COMPLIANCE', untilMs: untilMs + 1 } } as const
  await assert.rejects(federation.store.amendVersion({ ...at, change: shorter }, context()), {
    code: 'WormProtected',
  })
  const { version } = await federation.store.amendVersion({ ...at, change: longer }, context())
  assert.equal(version.versionId, kept.versionId)
  assert.equal(objectOf(await find(bucket, 'k'))?.version.retention?.untilMs, untilMs + 1)
})

test('a retention ends when both clocks say so: that of the gateway and that of the nodes', async () => {
  const bucket = await newBucket('locked')
  const retention = { mode: 'COMPLIANCE', untilMs: Date.now() + dayMs } as const
  const { versionId } = await put(bucket, 'k', 'evidence', { attributes: { retention } })
  for (const wrong of ['gatewayMs', 'nodesMs'] as const) {
    ahead[wrong] = 2 * dayMs
    await assert.rejects(delVersion(bucket, 'k', versionId), { code: 'WormProtected' }, wrong)
    ahead[wrong] = 0
  }
  ahead.gatewayMs = 2 * dayMs
  ahead.nodesMs = 2 * dayMs
  try {
    assert.equal((await delVersion(bucket, 'k', versionId)).existed, true)
  } finally {
    ahead.gatewayMs = 0
    ahead.nodesMs = 0
  }
})

test("the bucket's default retention is given by the group, from the later clock", async () => {
  const bucket = await changed(await newBucket('locked'), {
    objectLock: { defaultRetention: { mode: 'GOVERNANCE', days: 1 } },
  })
  ahead.gatewayMs = -300 * dayMs
  const startMs = Date.now()
  await put(bucket, 'k', 'evidence').finally(() => {
    ahead.gatewayMs = 0
  })
  const retention = objectOf(await find(bucket, 'k'))?.version.retention
  assert.equal(retention?.mode, 'GOVERNANCE')
  assert.ok(retention !== undefined && retention.untilMs >= startMs + dayMs)
  const own = { mode: 'COMPLIANCE', untilMs: startMs + 3 * dayMs } as const
  await put(bucket, 'k', 'evidence', { attributes: { retention: own } })
  assert.deepEqual(objectOf(await find(bucket, 'k'))?.version.retention, own)
})

test('tags and ACL are amended side by side, and none of them is lost', async () => {
  const bucket = await newBucket()
  await put(bucket, 'k', 'x')
  const acl = { grants: [{ grantee: { kind: 'all-users' }, permission: 'READ' }] } as const
  const at = { bucket, key: 'k', bypassGovernance: false }
  await Promise.all([
    federation.store.amendVersion({ ...at, change: { kind: 'acl', acl } }, context()),
    federation.store.amendVersion({ ...at, change: { kind: 'tags', tags: { a: '1' } } }, context()),
  ])
  const version = objectOf(await find(bucket, 'k'))?.version
  assert.deepEqual([version?.acl, version?.tags], [acl, { a: '1' }])
  const retention = { mode: 'GOVERNANCE', untilMs: Date.now() + dayMs } as const
  await assert.rejects(
    federation.store.amendVersion({ ...at, change: { kind: 'retention', retention } }, context()),
    { code: 'NoObjectLock' },
  )
  await assert.rejects(put(bucket, 'k', 'y', { attributes: { retention } }), { code: 'NoObjectLock' })
  await assert.rejects(
    federation.store.amendVersion({ ...at, key: 'other', change: { kind: 'tags', tags: null } }, context()),
    { code: 'NoSuchObject' },
  )
})
