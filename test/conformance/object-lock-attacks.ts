/**
 * Every path of the operation table by which a protected version might vanish or be protected less, as attacks that are
 * really sent. One row an operation: what writes and is not listed fails object-lock-paths.test.ts, so that nobody adds
 * an operation without thinking of Object Lock.
 *
 * Who attacks owns the bucket: what he may not do, nobody may.
 */
import assert from 'node:assert/strict'
import { completeDocument, contentMd5, createUpload, putPart, putVersion } from './ask.ts'
import { encodeForm, post, signedFields } from './post-form.ts'
import { type Answer, type S3Client, tags } from './s3-client.ts'

const hourMs = 3_600_000

/** A version that must stay as it is. */
interface Evidence {
  readonly key: string
  readonly body: Buffer
  readonly versionId: string
  readonly protectedBy: Readonly<Record<string, string>>
  /** GOVERNANCE: those who may bypass it end it lawfully. */
  readonly bypassable: boolean
}

export interface Target {
  readonly s3: S3Client
  /** Somebody who has no rights in the bucket. */
  readonly stranger: S3Client
  readonly bucket: string
  readonly evidence: readonly Evidence[]
  send(
    method: string,
    path: string,
    body?: string | Buffer,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
}

type Attack = (target: Target) => Promise<void>

/** An operation either attacks or says why it cannot touch a version. */
export type Path = Attack | string

const mode = 'x-amz-object-lock-mode'
const until = 'x-amz-object-lock-retain-until-date'
const hold = 'x-amz-object-lock-legal-hold'
const bypass = { 'x-amz-bypass-governance-retention': 'true' }

function inHours(hours: number): string {
  return new Date(Math.floor((Date.now() + hours * hourMs) / 1000) * 1000).toISOString()
}

/** A bucket with a version under each kind of protection; large enough that it has shards. */
export async function prepare(s3: S3Client, stranger: S3Client, bucket: string): Promise<Target> {
  const kinds: Readonly<Record<string, Record<string, string>>> = {
    compliance: { [mode]: 'COMPLIANCE', [until]: inHours(48) },
    governance: { [mode]: 'GOVERNANCE', [until]: inHours(48) },
    held: { [hold]: 'ON' },
  }
  const evidence: Evidence[] = []
  for (const [key, protectedBy] of Object.entries(kinds)) {
    const body = Buffer.alloc(40_000, key)
    const headers = { ...protectedBy, 'content-md5': contentMd5(body) }
    const versionId = await putVersion(s3, `/${bucket}/${key}`, body, headers)
    evidence.push({ key, body, versionId, protectedBy, bypassable: key === 'governance' })
  }
  const send: Target['send'] = (method, path, body = '', headers = {}) =>
    s3.send({
      method,
      path: `/${bucket}${path}`,
      body,
      headers: { 'content-md5': contentMd5(body), ...headers },
    })
  return { s3, stranger, bucket, evidence, send }
}

/** Fails unless every version is there with its bytes, its mode, and a retention that ends no earlier. */
export async function assertIntact({ s3, bucket, evidence }: Target, after: string): Promise<void> {
  const listed = await s3.send({ path: `/${bucket}?versions` })
  const ids = tags(listed.text, 'VersionId')
  for (const { key, versionId, body, protectedBy } of evidence) {
    assert.ok(ids.includes(versionId), `${key} is listed after ${after}`)
    const got = await s3.send({ path: `/${bucket}/${key}?versionId=${versionId}` })
    assert.equal(got.status, 200, `${key} is there after ${after}: ${got.text.slice(0, 500)}`)
    assert.ok(got.bytes.equals(body), `${key} has its bytes after ${after}`)
    assert.equal(got.headers[mode], protectedBy[mode], `${key} has its mode after ${after}`)
    const endMs = Date.parse(String(got.headers[until] ?? ''))
    const wantedMs = Date.parse(protectedBy[until] ?? '')
    assert.ok(Number.isNaN(wantedMs) || endMs >= wantedMs, `${key} is retained as long after ${after}`)
    if (protectedBy[hold] !== undefined)
      assert.equal(got.headers[hold], 'ON', `${key} is held after ${after}`)
  }
}

/** For every version, without bypass, and with it where it must not help. */
async function forEach(
  target: Target,
  attack: (evidence: Evidence, headers: Readonly<Record<string, string>>) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const evidence of target.evidence) {
    answers.push(await attack(evidence, {}))
    if (!evidence.bypassable) answers.push(await attack(evidence, bypass))
  }
  return answers
}

function assertAllRefused(answers: readonly Answer[]): void {
  for (const answer of answers) assert.equal(answer.status, 403, answer.text)
}

function retention(named: string, date: string): string {
  return `<Retention><Mode>${named}</Mode><RetainUntilDate>${date}</RetainUntilDate></Retention>`
}

function removal({ key, versionId }: Evidence): string {
  return `<Object><Key>${key}</Key><VersionId>${versionId}</VersionId></Object>`
}

/** Overwrites each key with `write`, which gets lock headers that protect less. */
async function overwrite(
  target: Target,
  write: (key: string, headers: Readonly<Record<string, string>>) => Promise<Answer>,
): Promise<void> {
  const weaker: Record<string, string>[] = [
    {},
    { [mode]: 'GOVERNANCE', [until]: inHours(1) },
    { [hold]: 'OFF' },
  ]
  for (const { key } of target.evidence) {
    for (const headers of weaker) assert.equal((await write(key, headers)).status, 200, key)
  }
}

/** Lists count then. */
const ownedByWriters =
  '<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>'

const ofBucket = 'a document of the bucket: no version is written or read by it'

export const paths: Readonly<Record<string, Path>> = {
  AbortMultipartUpload: async ({ s3, bucket, evidence, send }) => {
    for (const { key } of evidence) {
      const uploadId = await createUpload(s3, `/${bucket}/${key}`)
      await putPart(s3, `/${bucket}/${key}`, { uploadId, partNumber: 1, body: 'x' })
      assert.equal((await send('DELETE', `/${key}?uploadId=${uploadId}`)).status, 204)
    }
  },
  CompleteMultipartUpload: async (target) => {
    const { s3, bucket, send } = target
    await overwrite(target, async (key, headers) => {
      const uploadId = await createUpload(s3, `/${bucket}/${key}`, headers)
      const etag = await putPart(s3, `/${bucket}/${key}`, { uploadId, partNumber: 1, body: 'new' })
      return send('POST', `/${key}?uploadId=${uploadId}`, completeDocument([etag]))
    })
  },
  CopyObject: async (target) => {
    const { bucket, send } = target
    await overwrite(target, (key, headers) => {
      const source = { 'x-amz-copy-source': `${bucket}/${key}`, 'x-amz-metadata-directive': 'REPLACE' }
      return send('PUT', `/${key}`, '', { ...source, ...headers })
    })
    // Named, a version is copied onto its own key without replacing anything.
    for (const { key, versionId } of target.evidence) {
      const source = { 'x-amz-copy-source': `${bucket}/${key}?versionId=${versionId}` }
      assert.equal((await send('PUT', `/${key}`, '', source)).status, 200)
    }
  },
  CreateBucket: async ({ send }) => {
    for (const locked of ['true', 'false']) {
      const answer = await send('PUT', '', '', { 'x-amz-bucket-object-lock-enabled': locked })
      assert.equal(answer.status, 409, answer.text)
    }
  },
  CreateMultipartUpload: 'a version comes of it only by CompleteMultipartUpload, which is attacked',
  DeleteBucket: async ({ send }) => {
    assert.equal((await send('DELETE', '')).status, 409)
    assert.equal((await send('DELETE', '', '', bypass)).status, 409)
  },
  DeleteObject: async (target) => {
    const { send } = target
    const remove = ({ key, versionId }: Evidence, headers: Readonly<Record<string, string>>) =>
      send('DELETE', `/${key}?versionId=${versionId}`, '', headers)
    assertAllRefused(await forEach(target, remove))
    // Behind a marker, too, and when the marker is gone again.
    for (const { key } of target.evidence) {
      const marker = String((await send('DELETE', `/${key}`)).headers['x-amz-version-id'])
      assert.equal((await send('DELETE', `/${key}?versionId=null`, '', bypass)).status, 204)
      assertAllRefused(await forEach(target, remove))
      assert.equal((await send('DELETE', `/${key}?versionId=${marker}`)).status, 204)
    }
    assertAllRefused(await forEach(target, remove))
  },
  DeleteObjectTagging: async ({ evidence, send }) => {
    for (const { key, versionId } of evidence) {
      assert.equal((await send('DELETE', `/${key}?tagging&versionId=${versionId}`)).status, 204)
    }
  },
  DeleteObjects: async (target) => {
    const { send, evidence } = target
    const answers = await forEach(target, (each, headers) =>
      send('POST', '?delete', `<Delete>${removal(each)}</Delete>`, headers),
    )
    for (const { text } of answers) assert.deepEqual(tags(text, 'Code'), ['AccessDenied'], text)
    const together = `<Delete>${evidence.map(removal).join('')}</Delete>`
    const { text } = await send('POST', '?delete', together)
    assert.deepEqual(
      tags(text, 'Code'),
      evidence.map(() => 'AccessDenied'),
      text,
    )
    const marked = evidence.map(({ key }) => `<Object><Key>${key}</Key></Object>`)
    assert.equal((await send('POST', '?delete', `<Delete>${marked.join('')}</Delete>`)).status, 200)
  },
  PostObject: async ({ s3, bucket, evidence }) => {
    for (const { key } of evidence) {
      const conditions = [{ bucket }, ['eq', '$key', key]]
      const fields = { key, ...signedFields(s3.keys, s3.endpoint.region, { conditions }) }
      const answer = await post(s3, `/${bucket}`, encodeForm(fields, { data: 'new' }))
      assert.equal(answer.status, 204, answer.text)
    }
  },
  PutBucketLifecycleConfiguration: async ({ send }) => {
    const rule =
      '<Rule><ID>all</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>' +
      '<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>'
    const body = `<LifecycleConfiguration>${rule}</LifecycleConfiguration>`
    // What the worker does under such a rule is attacked in the worker's own tests.
    assert.equal((await send('PUT', '?lifecycle', body)).status, 200)
  },
  PutBucketVersioning: async (target) => {
    const { send, evidence } = target
    const suspend = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>'
    assert.equal((await send('PUT', '?versioning', suspend)).status, 409)
    // As if it had succeeded: what would replace a null version.
    for (const { key } of evidence) {
      await send('PUT', `/${key}`, 'new')
      await send('DELETE', `/${key}`)
    }
  },
  PutObject: async (target) => {
    await overwrite(target, (key, headers) => target.send('PUT', `/${key}`, 'new', headers))
  },
  PutObjectAcl: async ({ evidence, send }) => {
    const controls = await send('PUT', '?ownershipControls', ownedByWriters)
    assert.equal(controls.status, 200, controls.text)
    for (const { key, versionId } of evidence) {
      const acl = { 'x-amz-acl': 'bucket-owner-full-control' }
      const answer = await send('PUT', `/${key}?acl&versionId=${versionId}`, '', acl)
      assert.equal(answer.status, 200, answer.text)
    }
  },
  PutObjectLegalHold: async ({ bucket, evidence, send, stranger }) => {
    const lift = '<LegalHold><Status>OFF</Status></LegalHold>'
    for (const { key, versionId, protectedBy } of evidence) {
      const path = `/${key}?legal-hold&versionId=${versionId}`
      const foreign = await stranger.send({ method: 'PUT', path: `/${bucket}${path}`, body: lift })
      assert.equal(foreign.status, 403, foreign.text)
      if (protectedBy[mode] === undefined) continue
      // Lifting a hold that is not set ends no retention.
      assert.equal((await send('PUT', path, lift)).status, 200)
      const removed = await send('DELETE', `/${key}?versionId=${versionId}`)
      assert.equal(removed.status, 403, removed.text)
    }
  },
  PutObjectLockConfiguration: async (target) => {
    const { send } = target
    const enabled = '<ObjectLockEnabled>Enabled</ObjectLockEnabled>'
    const disabled = '<ObjectLockEnabled>Disabled</ObjectLockEnabled>'
    const rule = '<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>'
    const put = (inner: string) =>
      send('PUT', '?object-lock', `<ObjectLockConfiguration>${inner}</ObjectLockConfiguration>`)
    assert.equal((await put(enabled + rule)).status, 200)
    assert.equal((await put(disabled)).status, 400)
    assert.equal((await put(enabled)).status, 200)
    assertAllRefused(
      await forEach(target, ({ key, versionId }, headers) =>
        send('DELETE', `/${key}?versionId=${versionId}`, '', headers),
      ),
    )
  },
  PutObjectRetention: async (target) => {
    const { evidence, send } = target
    const retained = evidence.filter((each) => each.protectedBy[mode] !== undefined)
    const other = { COMPLIANCE: 'GOVERNANCE', GOVERNANCE: 'COMPLIANCE' } as const
    for (const each of retained) {
      const own = each.protectedBy[mode] === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE'
      const documents = [
        retention(own, inHours(1)),
        retention(own, inHours(47)),
        retention(other[own], inHours(1)),
        retention(other[own], inHours(96)),
        '<Retention/>',
      ]
      for (const body of documents) {
        const path = `/${each.key}?retention&versionId=${each.versionId}`
        assertAllRefused([await send('PUT', path, body)])
        if (!each.bypassable) assertAllRefused([await send('PUT', path, body, bypass)])
      }
      const past = await send('PUT', `/${each.key}?retention`, retention(own, inHours(-1)), bypass)
      assert.equal(past.status, 400, past.text)
    }
  },
  PutObjectTagging: async ({ evidence, send }) => {
    const body = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'
    for (const { key, versionId } of evidence) {
      assert.equal((await send('PUT', `/${key}?tagging&versionId=${versionId}`, body)).status, 200)
    }
  },
  RestoreObject: async ({ evidence, send }) => {
    for (const { key, versionId } of evidence) {
      const body = '<RestoreRequest><Days>1</Days></RestoreRequest>'
      assert.equal((await send('POST', `/${key}?restore&versionId=${versionId}`, body)).status, 403)
    }
  },
  UploadPart: 'a version comes of it only by CompleteMultipartUpload, which is attacked',
  UploadPartCopy: 'a version comes of it only by CompleteMultipartUpload, which is attacked',
  DeleteBucketAnalyticsConfiguration: ofBucket,
  DeleteBucketCors: ofBucket,
  DeleteBucketEncryption: ofBucket,
  DeleteBucketIntelligentTieringConfiguration: ofBucket,
  DeleteBucketInventoryConfiguration: ofBucket,
  DeleteBucketLifecycle: ofBucket,
  DeleteBucketMetricsConfiguration: ofBucket,
  DeleteBucketOwnershipControls: ofBucket,
  DeleteBucketPolicy: ofBucket,
  DeleteBucketReplication: ofBucket,
  DeleteBucketTagging: ofBucket,
  DeleteBucketWebsite: ofBucket,
  DeletePublicAccessBlock: ofBucket,
  PutBucketAccelerateConfiguration: ofBucket,
  PutBucketAcl: ofBucket,
  PutBucketCors: ofBucket,
  PutBucketEncryption: ofBucket,
  PutBucketLogging: ofBucket,
  PutBucketNotificationConfiguration: ofBucket,
  PutBucketOwnershipControls: ofBucket,
  PutBucketPolicy: ofBucket,
  PutBucketRequestPayment: ofBucket,
  PutBucketTagging: ofBucket,
  PutBucketWebsite: ofBucket,
  PutPublicAccessBlock: ofBucket,
}
