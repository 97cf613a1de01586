import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBucket } from './access-control.ts'
import { assertError, createUpload } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('ListMultipartUploads lists uploads by key, in pages that lose none', async () => {
  const bucket = await at.bucket()
  const ids: string[] = []
  for (const key of ['a', 'a', 'b/1', 'b/2', 'c']) ids.push(await createUpload(at.s3, `/${bucket}/${key}`))
  const found: string[] = []
  let markers = ''
  for (;;) {
    const { text } = await at.s3.send({ path: `/${bucket}?uploads&max-uploads=2${markers}` })
    found.push(...tags(text, 'UploadId'))
    if (tag(text, 'IsTruncated') === 'false') break
    markers = `&key-marker=${encodeURIComponent(tag(text, 'NextKeyMarker') ?? '')}&upload-id-marker=${tag(text, 'NextUploadIdMarker')}`
  }
  assert.deepEqual([...found].sort(), [...ids].sort())
})

test('ListMultipartUploads filters, rolls up and encodes', async () => {
  const bucket = await at.bucket()
  for (const key of ['a%20b', 'b/1', 'b/2']) await createUpload(at.s3, `/${bucket}/${key}`)
  const rolled = await at.s3.send({ path: `/${bucket}?delimiter=%2F&encoding-type=url&uploads` })
  assert.deepEqual(tags(rolled.text, 'Key'), ['a%20b'])
  assert.match(rolled.text, /<CommonPrefixes><Prefix>b\/<\/Prefix><\/CommonPrefixes>/)
  const filtered = await at.s3.send({ path: `/${bucket}?prefix=b%2F2&uploads` })
  assert.deepEqual(tags(filtered.text, 'Key'), ['b/2'])
  assertError(await at.s3.send({ path: `/${bucket}?max-uploads=x&uploads` }), 400, 'InvalidArgument')
  assertError(await at.other.send({ path: `/${bucket}?uploads` }), 403, 'AccessDenied')
})

test('ListMultipartUploads names the owners of uploads, whoever asks', async () => {
  const bucket = await openBucket(at)
  const open = { method: 'PUT', path: `/${bucket}?acl=`, headers: { 'x-amz-acl': 'public-read-write' } }
  assert.equal((await at.s3.send(open)).status, 200)
  await createUpload(at.s3, `/${bucket}/a`)
  await createUpload(at.other, `/${bucket}/b`)
  const mine = (await at.s3.send({ path: `/${bucket}?uploads=` })).text
  const theirs = (await at.other.send({ path: `/${bucket}?uploads=` })).text
  assert.deepEqual(tags(mine, 'DisplayName'), tags(theirs, 'DisplayName'))
  assert.equal(new Set(tags(mine, 'DisplayName')).size, 2)
  for (const id of tags(mine, 'ID')) assert.ok(!tags(mine, 'DisplayName').includes(id))
})
