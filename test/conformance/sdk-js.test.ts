import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { Xxh3_64, Xxh3_128, Xxh64 } from '@aws-sdk/checksums/xxh'
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
import { createPresignedPost } from '@aws-sdk/s3-presigned-post'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { awkwardKeys, multipartBytes, randomContent } from './client-run.ts'
import { type Conformance, startConformance } from './harness.ts'

/** The SDK computes five checksums by itself, these with what it is given. */
const givenChecksums = { XXHASH64: Xxh64, XXHASH3: Xxh3_64, XXHASH128: Xxh3_128 }
const givenNames = ['XXHASH64', 'XXHASH3', 'XXHASH128'] as const

let at: Conformance
let sdk: S3Client
before(async () => {
  at = await startConformance()
  sdk = new S3Client({
    endpoint: at.url,
    region: at.s3.endpoint.region,
    credentials: at.s3.keys,
    forcePathStyle: true,
    checksumAlgorithms: givenChecksums,
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

test('SDK for JavaScript: whatever checksum it sent, it verifies when it reads again', async () => {
  const bucket = await at.bucket()
  const content = randomContent(100_000)
  const own = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const
  for (const algorithm of [...own, ...givenNames]) {
    const put = await sdk.send(
      new PutObjectCommand({ Bucket: bucket, Key: algorithm, Body: content, ChecksumAlgorithm: algorithm }),
    )
    const sum = put[`Checksum${algorithm}`]
    assert.ok(sum, algorithm)
    const got = await sdk.send(
      new GetObjectCommand({ Bucket: bucket, Key: algorithm, ChecksumMode: 'ENABLED' }),
    )
    assert.equal(got[`Checksum${algorithm}`], sum)
    assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), content)
  }
})

test('SDK for JavaScript: a form that it presigned is posted by fetch', async () => {
  const bucket = await at.bucket()
  const { url, fields } = await createPresignedPost(sdk, {
    Bucket: bucket,
    Key: ['uploads/$', '{filename}'].join(''),
    Conditions: [['content-length-range', 1, 2_000_000], { success_action_status: '201' }],
    Fields: { success_action_status: '201', 'x-amz-meta-from': 'browser' },
    Expires: 60,
  })
  const content = randomContent(1_500_000)
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', new File([new Uint8Array(content)], 'tatort 1.jpg'))
  form.append('submit', 'Upload')
  const answer = await fetch(url, { method: 'POST', body: form })
  assert.equal(answer.status, 201, await answer.text())
  assert.deepEqual(await bytesOf(bucket, 'uploads/tatort 1.jpg'), content)
  const head = await sdk.send(new HeadObjectCommand({ Bucket: bucket, Key: 'uploads/tatort 1.jpg' }))
  assert.deepEqual(head.Metadata, { from: 'browser' })
})
