import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client, CopyConditions } from 'minio'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { awkwardKeys, multipartBytes, randomContent } from './client-run.ts'

let at: Conformance
let minio: Client
before(async () => {
  at = await startConformance()
  // No region: the client asks for the bucket's, as it does by default.
  minio = new Client({
    endPoint: '127.0.0.1',
    port: at.s3.endpoint.port,
    useSSL: false,
    accessKey: at.s3.keys.accessKeyId,
    secretKey: at.s3.keys.secretAccessKey,
  })
})
after(() => at.close())

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('minio-js: awkward names, stat, range, copy, list, presigned, remove', async () => {
  const bucket = await at.bucket()
  assert.equal(await minio.bucketExists(bucket), true)
  for (const key of awkwardKeys) {
    const content = randomContent(30_000)
    await minio.putObject(bucket, key, content, content.length, { 'X-Amz-Meta-Land': 'BY' })
    assert.deepEqual(await bytesOf(await minio.getObject(bucket, key)), content)
    assert.deepEqual(await bytesOf(await minio.getPartialObject(bucket, key, 5, 7)), content.subarray(5, 12))
    assert.equal((await minio.statObject(bucket, key)).size, content.length)
    await minio.copyObject(bucket, `copy/${key}`, `/${bucket}/${key}`, new CopyConditions())
  }
  const keys: string[] = []
  for await (const item of minio.listObjectsV2(bucket, '', true)) keys.push(item.name)
  assert.deepEqual([...keys].sort(), [...awkwardKeys, ...awkwardKeys.map((key) => `copy/${key}`)].sort())
  const url = await minio.presignedGetObject(bucket, awkwardKeys[1] ?? '')
  assert.equal((await fetch(url)).status, 200)
  await minio.removeObjects(bucket, keys)
  await minio.removeBucket(bucket)
})

test('minio-js: 70 MiB in parts', async () => {
  const bucket = await at.bucket()
  const content = randomContent(multipartBytes)
  await minio.putObject(bucket, 'big', content, content.length)
  assert.deepEqual(await bytesOf(await minio.getObject(bucket, 'big')), content)
})
