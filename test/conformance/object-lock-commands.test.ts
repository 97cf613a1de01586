/**
 * Object Lock against a gateway that has been taken over: what it may propose to the catalog groups, with whatever clock,
 * rules and rights it claims, ends no compliance retention and no legal hold.
 *
 * One row a catalog command; a new command does not compile until it is listed.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { CatalogAnswers, CatalogCommand, Version } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { groupOf } from '../../node/core/slots.ts'
import { ClusterError } from '../../node/errors.ts'
import { contentMd5, putVersion } from './ask.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'

const centuryMs = 100 * 365 * 86_400_000
const key = 'evidence'
const body = Buffer.alloc(40_000, 'evidence')

/** Long after every retention, as the gateway says. */
const nowMs = Date.now() + centuryMs

function newId(): string {
  return randomBytes(16).toString('hex')
}

interface Victim {
  readonly bucketId: string
  readonly version: Version
  readonly blobId: string
}

type Commands = { readonly [K in CatalogCommand['kind']]: (victim: Victim) => readonly CatalogCommand[] }

function forged(victim: Victim, versionId = newId()): Version {
  const { retention: _, legalHold: __, tags: ___, ...version } = victim.version
  return { ...version, versionId, extents: [], bytes: 0, modifiedMs: nowMs }
}

const none = { conditions: {} }

const commands: Commands = {
  'open-bucket': ({ bucketId }) => [{ kind: 'open-bucket', bucketId, attempt: 1_000 }],
  'close-bucket': ({ bucketId }) => [{ kind: 'close-bucket', bucketId, attempt: 1_001 }],
  'set-write-rules': ({ bucketId }) =>
    (['Off', 'Suspended'] as const).map((versioning, at) => ({
      kind: 'set-write-rules',
      bucketId,
      rules: { revision: 1_000 + at, versioning },
    })),
  'put-version': (victim) => [
    { kind: 'put-version', bucketId: victim.bucketId, version: forged(victim), blobs: [], ...none },
    // Under the id of the victim.
    {
      kind: 'put-version',
      bucketId: victim.bucketId,
      version: forged(victim, victim.version.versionId),
      blobs: [],
      ...none,
    },
  ],
  'delete-object': ({ bucketId, version }) =>
    [{}, { versionId: version.versionId }].map((named) => ({
      kind: 'delete-object',
      bucketId,
      key,
      nowMs,
      markerId: newId(),
      ...named,
      ...none,
    })),
  'delete-version': ({ bucketId, version }) =>
    ([{ bypassGovernance: true }, {}] as const).map((right) => ({
      kind: 'delete-version',
      bucketId,
      key,
      versionId: version.versionId,
      nowMs,
      ...right,
      ...none,
    })),
  'amend-version': ({ bucketId, version }) =>
    [null, { mode: 'GOVERNANCE' as const, untilMs: nowMs }, { mode: 'COMPLIANCE' as const, untilMs: 1 }].map(
      (retention) => ({
        kind: 'amend-version',
        bucketId,
        key,
        versionId: version.versionId,
        change: { kind: 'retention', retention },
        nowMs,
        bypassGovernance: true,
        amendId: newId(),
        ...(version.amendId === undefined ? {} : { afterAmendId: version.amendId }),
      }),
    ),
  'create-upload': (victim) => [{ kind: 'create-upload', bucketId: victim.bucketId, upload: upload(victim) }],
  'put-part': ({ bucketId, blobId }) => [
    {
      kind: 'put-part',
      bucketId,
      key,
      uploadId,
      part: {
        partNumber: 1,
        blobId: '',
        bytes: 0,
        etag: 'd41d8cd98f00b204e9800998ecf8427e',
        modifiedMs: nowMs,
      },
      blob: undefined,
    },
    // A part that claims the victim's bytes, so that they go with it.
    {
      kind: 'put-part',
      bucketId,
      key,
      uploadId,
      part: { partNumber: 2, blobId, bytes: 1, etag: 'd41d8cd98f00b204e9800998ecf8427e', modifiedMs: nowMs },
      blob: { kind: 'inline', blobId, bytes: 1, data: Uint8Array.of(1) },
    },
  ],
  'complete-upload': ({ bucketId }) => [
    {
      kind: 'complete-upload',
      bucketId,
      key,
      uploadId,
      parts: [{ partNumber: 1, etag: 'd41d8cd98f00b204e9800998ecf8427e' }],
      versionId: newId(),
      etag: 'd41d8cd98f00b204e9800998ecf8427e-1',
      nowMs,
      partBytesMin: 0,
      ...none,
    },
  ],
  'abort-upload': ({ bucketId }) => [{ kind: 'abort-upload', bucketId, key, uploadId, nowMs }],
  // One shard may be misplaced without harm: the others are read. Who may move shards is the funnel's to check.
  'relocate-shard': ({ blobId }) => [
    { kind: 'relocate-shard', blobId, generation: 1, shardIndex: 0, from: 'a-1', to: 'b-1' },
  ],
  'abandon-blobs': ({ blobId }) => [{ kind: 'abandon-blobs', blobIds: [blobId], nowMs }],
  'forget-garbage': ({ blobId }) => [{ kind: 'forget-garbage', blobIds: [blobId] }],
  'forget-fences': ({ blobId, version }) => [
    { kind: 'forget-fences', ids: [blobId, version.versionId], nowMs },
  ],
  'forget-events': ({ version }) => [{ kind: 'forget-events', eventIds: [version.versionId] }],
}

const uploadId = newId()

function upload(victim: Victim) {
  const { ownerId, metadata, dataKey, segmentBytes } = victim.version
  return { uploadId, key, startedMs: nowMs, ownerId, metadata, dataKey, segmentBytes }
}

async function find(gateway: LocalGateway, bucket: Bucket, versionId: string) {
  const { router, map } = gateway.federation.client
  const groupId = groupOf(map(), { bucketId: bucket.bucketId, key })
  const { bucketId } = bucket
  return router.queryCatalog(groupId, { kind: 'find-object', bucketId, key, versionId, blobsFor: 'all' })
}

/** Proposes a command; refusals are what is hoped for, and bugs are not. */
async function propose(gateway: LocalGateway, bucket: Bucket, command: CatalogCommand): Promise<string> {
  const { router, map } = gateway.federation.client
  const groupId = groupOf(map(), { bucketId: bucket.bucketId, key })
  try {
    await router.proposeCatalog(groupId, newId(), command)
    return 'applied'
  } catch (error) {
    assert.ok(error instanceof ClusterError && error.code !== 'Internal', String(error))
    return error.code
  }
}

async function victimIn(gateway: LocalGateway, name: string, protectedBy: Readonly<Record<string, string>>) {
  const s3 = gateway.client()
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  assert.equal((await s3.send({ method: 'PUT', path: `/${name}`, headers })).status, 200)
  const digest = { 'content-md5': contentMd5(body) }
  const versionId = await putVersion(s3, `/${name}/${key}`, body, { ...protectedBy, ...digest })
  const bucket = await gateway.federation.store.findBucket(name)
  assert.ok(bucket !== undefined)
  const { version, blobs } = await find(gateway, bucket, versionId)
  const blobId = blobs[0]?.blobId
  assert.ok(version !== undefined && blobId !== undefined)
  return { bucket, victim: { bucketId: bucket.bucketId, version, blobId } }
}

/** Read from the group and from the shards: a bucket whose rules were forged may be closed to S3. */
async function assertStands(
  gateway: LocalGateway,
  bucket: Bucket,
  { victim, after }: { victim: Victim; after: string },
): Promise<void> {
  const { version } = victim
  // A closing that was refused leaves the bucket open; one that had succeeded would fail here.
  const found: CatalogAnswers['find-object'] = await find(gateway, bucket, version.versionId)
  assert.ok(found.version !== undefined, `the version is there after ${after}`)
  assert.deepEqual(found.version.retention, version.retention, `its retention stands after ${after}`)
  assert.deepEqual(found.version.legalHold, version.legalHold, `its hold stands after ${after}`)
  const object = await gateway.federation.store.findObject(
    { bucket, key, versionId: version.versionId, expect: 'all' },
    { requestId: 'test' },
  )
  assert.ok(object !== undefined && 'version' in object)
  const chunks: Buffer[] = []
  for await (const chunk of object.read({ firstByte: 0, lastByte: body.length - 1 }))
    chunks.push(Buffer.from(chunk))
  assert.ok(Buffer.concat(chunks).equals(body), `its bytes are there after ${after}`)
}

const kinds = Object.keys(commands) as CatalogCommand['kind'][]
const until = new Date(Date.now() + 48 * 3_600_000).toISOString()
const protections: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  compliance: { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': until },
  held: { 'x-amz-object-lock-legal-hold': 'ON' },
}

for (const [name, protectedBy] of Object.entries(protections)) {
  test(`no command alone or after all others ends what is under ${name}`, async (t) => {
    const gateway = await startLocalGateway()
    t.after(() => gateway.close())
    const { bucket, victim } = await victimIn(gateway, `taken-${name}`, protectedBy)
    // Rules first: afterwards the group believes that there is neither Object Lock nor versioning.
    for (const kind of [...kinds, ...kinds].sort(
      (a, b) => Number(b === 'set-write-rules') - Number(a === 'set-write-rules'),
    )) {
      for (const command of commands[kind](victim)) {
        const outcome = await propose(gateway, bucket, command)
        assert.notEqual(outcome, 'BadMessage', `${kind} is well-formed`)
        await assertStands(gateway, bucket, { victim, after: `${kind}: ${outcome}` })
      }
    }
  })
}

test('the commands are real: what is not protected is ended by them', async (t) => {
  const gateway = await startLocalGateway()
  t.after(() => gateway.close())
  const { bucket, victim } = await victimIn(gateway, 'not-protected', {})
  const outcomes = []
  for (const command of commands['delete-version'](victim))
    outcomes.push(await propose(gateway, bucket, command))
  assert.deepEqual(outcomes, ['applied', 'applied'])
  assert.equal((await find(gateway, bucket, victim.version.versionId)).version, undefined)
})
