import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('HeadObject says what GetObject would, without the bytes', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, '0123456789', { 'x-amz-meta-a': 'b' })
  const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })
  const got = await at.s3.send({ path: `/${bucket}/k` })
  for (const name of [
    'content-length',
    'etag',
    'last-modified',
    'content-type',
    'x-amz-meta-a',
    'accept-ranges',
  ]) {
    assert.ok(head.headers[name], name)
    assert.equal(head.headers[name], got.headers[name], name)
  }
  assert.equal(head.bytes.length, 0)
})

test('HeadObject of a range, a condition that fails, a key that is not there', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, '0123456789')
  const head = (headers: Record<string, string>, key = 'k') =>
    at.s3.send({ method: 'HEAD', path: `/${bucket}/${key}`, headers })
  const range = await head({ range: 'bytes=2-4' })
  assert.deepEqual(
    [range.status, range.headers['content-length'], range.headers['content-range']],
    [206, '3', 'bytes 2-4/10'],
  )
  assert.equal((await head({ range: 'bytes=10-' })).status, 416)
  assert.equal((await head({ 'if-match': '"x"' })).status, 412)
  assert.equal((await head({ 'if-none-match': '*' })).status, 304)
  const missing = await head({}, 'none')
  assert.deepEqual([missing.status, missing.bytes.length], [404, 0])
})
