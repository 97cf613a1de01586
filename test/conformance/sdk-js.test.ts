import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { awkwardKeys, multipartBytes, randomContent } from './client-run.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
let sdk: S3Client
before(async () => {
  at = await startConformance()
  sdk = new S3Client({
    endpoint: at.url,
    region: at.s3.endpoint.region,
    credentials: at.s3.keys,
    forcePathStyle: true,
  })
})
after(async () => {
  sdk.destroy()
  await at.close()
})

async function bytesOf(bucket: string, key: string, range?: string): Promise<Buffer> {
  const input = { Bucket: bucket, Key: key, ...(range === undefined ? {} : { Range: range }) }
  const { Body } = await sdk.send(new GetObjectCommand(input))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

test('SDK for JavaScript: awkward names, ranges, copies, listing, deletion with its default checksums', async () => {
  const bucket = `sdk-${Date.now().toString(36)}`
  await sdk.send(new CreateBucketCommand({ Bucket: bucket }))
  for (const key of awkwardKeys) {
    const content = randomContent(50_000)
    await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, Metadata: { a: 'b' } }))
    assert.deepEqual(await bytesOf(bucket, key), content)
    assert.deepEqual(await bytesOf(bucket, key, 'bytes=-10'), content.subarray(-10))
    const source = `${bucket}/${encodeURIComponent(key)}`
    await sdk.send(new CopyObjectCommand({ Bucket: bucket, Key: `copy/${key}`, CopySource: source }))
    const head = await sdk.send(new HeadObjectCommand({ Bucket: bucket, Key: `copy/${key}` }))
    assert.equal(head.ContentLength, content.length)
    assert.deepEqual(head.Metadata, { a: 'b' })
  }
  const listed = await sdk.send(new ListObjectsV2Command({ Bucket: bucket }))
  const keys = listed.Contents?.map((entry) => entry.Key ?? '') ?? []
  assert.deepEqual([...keys].sort(), [...awkwardKeys, ...awkwardKeys.map((key) => `copy/${key}`)].sort())
  const objects = keys.map((Key) => ({ Key }))
  const deleted = await sdk.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }))
  assert.equal(deleted.Deleted?.length, keys.length)
})

test('SDK for JavaScript: lib-storage uploads a stream of unknown length in parts', async () => {
  const bucket = await at.bucket()
  const content = randomContent(multipartBytes)
  const Body = Readable.from([content.subarray(0, 30_000_000), content.subarray(30_000_000)])
  await new Upload({ client: sdk, params: { Bucket: bucket, Key: 'big', Body } }).done()
  assert.deepEqual(await bytesOf(bucket, 'big'), content)
})

test('SDK for JavaScript: a stream of known length goes as aws-chunked with a trailing checksum', async () => {
  const bucket = await at.bucket()
  const content = randomContent(1_000_000)
  const Body = Readable.from([content.subarray(0, 10), content.subarray(10)])
  await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: 's', Body, ContentLength: content.length }))
  assert.deepEqual(await bytesOf(bucket, 's'), content)
})

test('SDK for JavaScript: presigned PUT and GET', async () => {
  const bucket = await at.bucket()
  const putUrl = await getSignedUrl(sdk, new PutObjectCommand({ Bucket: bucket, Key: 'ä b' }))
  const put = await fetch(putUrl, { method: 'PUT', body: 'presigned' })
  assert.equal(put.status, 200, await put.text())
  const getUrl = await getSignedUrl(
    sdk,
    new GetObjectCommand({ Bucket: bucket, Key: 'ä b', ResponseContentType: 'text/x-test' }),
  )
  const got = await fetch(getUrl)
  assert.equal(got.headers.get('content-type'), 'text/x-test')
  assert.equal(await got.text(), 'presigned')
})
