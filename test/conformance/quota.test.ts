/** Quotas are an operator's, not S3's: they are set at the store, and their effect is seen over HTTP. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Quota } from '../../node/core/bucket-configuration.ts'
import { assertError, completeDocument, createUpload, partBytes, putPart } from './ask.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import type { S3Client } from './s3-client.ts'

let gateway: LocalGateway
let s3: S3Client
let made = 0
before(async () => {
  gateway = await startLocalGateway()
  s3 = gateway.client()
})
after(() => gateway.close())

async function bucketWith(quota: Quota): Promise<string> {
  const name = `quota-${made++}`
  assert.equal((await s3.send({ method: 'PUT', path: `/${name}` })).status, 200)
  await setQuota(name, quota)
  return name
}

async function setQuota(name: string, quota: Quota | null): Promise<void> {
  const { store } = gateway.federation
  const call = { requestId: `QUOTA${made++}` }
  const bucket = await store.findBucket(name)
  assert.ok(bucket)
  await store.configureBucket(bucket, { quota }, call)
}

const put = (path: string, bytes: number, headers: Record<string, string> = {}) =>
  s3.send({ method: 'PUT', path, body: Buffer.alloc(bytes), headers })

test('a write that would exceed the bytes of a bucket is refused, and deleting makes room', async () => {
  const bucket = await bucketWith({ bytesMax: 1000 })
  assert.equal((await put(`/${bucket}/a`, 600)).status, 200)
  assertError(await put(`/${bucket}/b`, 401), 403, 'QuotaExceeded')
  assert.equal((await put(`/${bucket}/b`, 400)).status, 200)
  assertError(await put(`/${bucket}/c`, 1), 403, 'QuotaExceeded')
  assert.equal((await s3.send({ method: 'DELETE', path: `/${bucket}/a` })).status, 204)
  // Before a refusal counts are asked anew, unless they are half a second old: then the client asks again.
  const deadline = performance.now() + 5_000
  let status = 403
  while (status !== 200 && performance.now() < deadline) status = (await put(`/${bucket}/c`, 600)).status
  assert.equal(status, 200)
})

test('a copy counts like any other write', async () => {
  const bucket = await bucketWith({ bytesMax: 1000 })
  assert.equal((await put(`/${bucket}/a`, 600)).status, 200)
  const copy = await put(`/${bucket}/b`, 0, { 'x-amz-copy-source': `/${bucket}/a` })
  assertError(copy, 403, 'QuotaExceeded')
})

test('the number of versions is bounded, too; reads and deletions never are', async () => {
  const bucket = await bucketWith({ objectsMax: 2 })
  assert.equal((await put(`/${bucket}/a`, 1)).status, 200)
  assert.equal((await put(`/${bucket}/b`, 1)).status, 200)
  assertError(await put(`/${bucket}/c`, 1), 403, 'QuotaExceeded')
  assert.equal((await s3.send({ path: `/${bucket}/a` })).status, 200)
  assert.equal((await s3.send({ method: 'DELETE', path: `/${bucket}/a` })).status, 204)
})

test('parts of an upload count before it is complete', async () => {
  const bucket = await bucketWith({ bytesMax: partBytes + 10 })
  const path = `/${bucket}/big`
  const uploadId = await createUpload(s3, path)
  const first = await putPart(s3, path, { uploadId, partNumber: 1, body: Buffer.alloc(partBytes) })
  const query = `partNumber=2&uploadId=${uploadId}`
  assertError(await put(`${path}?${query}`, 11), 403, 'QuotaExceeded')
  const second = await putPart(s3, path, { uploadId, partNumber: 2, body: Buffer.alloc(10) })
  const body = completeDocument([first, second])
  const complete = await s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body })
  assert.equal(complete.status, 200, complete.text)
  assertError(await put(`/${bucket}/more`, 1), 403, 'QuotaExceeded')
})

test('a quota that is taken away, and a bucket that has none, refuse nothing', async () => {
  const bucket = await bucketWith({ bytesMax: 0, objectsMax: 0 })
  assertError(await put(`/${bucket}/a`, 1), 403, 'QuotaExceeded')
  await setQuota(bucket, null)
  assert.equal((await put(`/${bucket}/a`, 1)).status, 200)
})
