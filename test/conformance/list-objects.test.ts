import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const keys = ['a', 'b/1', 'b/2', 'c/1', 'd ü']

async function filled(): Promise<string> {
  const bucket = await at.bucket()
  for (const key of keys) await putObject(at.s3, `/${bucket}/${encodeURIComponent(key)}`, key)
  return bucket
}

test('ListObjects lists keys in byte order with size, ETag and owner', async () => {
  const bucket = await filled()
  const { status, text } = await at.s3.send({ path: `/${bucket}` })
  assert.equal(status, 200)
  assert.deepEqual(tags(text, 'Key'), keys)
  assert.deepEqual(tags(text, 'Size'), ['1', '3', '3', '3', '4'])
  assert.equal(tags(text, 'ID').length, keys.length)
  assert.deepEqual(
    [tag(text, 'IsTruncated'), tag(text, 'MaxKeys'), tag(text, 'Name')],
    ['false', '1000', bucket],
  )
})

test('ListObjects rolls up by delimiter and pages by markers', async () => {
  const bucket = await filled()
  const found: string[] = []
  let marker = ''
  for (;;) {
    const { text } = await at.s3.send({ path: `/${bucket}?delimiter=%2F&marker=${marker}&max-keys=1` })
    found.push(...tags(text, 'Key'), ...tags(text.replace(/.*?(?=<CommonPrefixes>|$)/s, ''), 'Prefix'))
    if (tag(text, 'IsTruncated') === 'false') break
    marker = encodeURIComponent(tag(text, 'NextMarker') ?? '')
  }
  assert.deepEqual(found, ['a', 'b/', 'c/', 'd ü'])
})

test('ListObjects filters, encodes, and refuses sizes that are none', async () => {
  const bucket = await filled()
  assert.deepEqual(tags((await at.s3.send({ path: `/${bucket}?prefix=b%2F` })).text, 'Key'), ['b/1', 'b/2'])
  const encoded = await at.s3.send({ path: `/${bucket}?encoding-type=url&prefix=d` })
  assert.deepEqual(tags(encoded.text, 'Key'), ['d%20%C3%BC'])
  assert.deepEqual(tags((await at.s3.send({ path: `/${bucket}?max-keys=0` })).text, 'Key'), [])
  assertError(await at.s3.send({ path: `/${bucket}?max-keys=-1` }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: `/${bucket}?encoding-type=x` }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: `/${bucket}?list-type=3` }), 400, 'InvalidArgument')
  assertError(await at.other.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  assertError(await at.s3.send({ path: `/${bucket}-none` }), 404, 'NoSuchBucket')
})
