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

const keys = ['a', 'b/1', 'b/2', 'c/1', 'd ü', 'e&<>']

async function filled(): Promise<string> {
  const bucket = await at.bucket()
  for (const key of keys) await putObject(at.s3, `/${bucket}/${encodeURIComponent(key)}`)
  return bucket
}

async function all(bucket: string, query: string): Promise<string[]> {
  const found: string[] = []
  let token = ''
  for (;;) {
    const next = token === '' ? '' : `&continuation-token=${encodeURIComponent(token)}`
    const { text } = await at.s3.send({ path: `/${bucket}?list-type=2${query}${next}` })
    const page = [...tags(text, 'Key'), ...tags(text.replace(/.*?(?=<CommonPrefixes>|$)/s, ''), 'Prefix')]
    assert.equal(tag(text, 'KeyCount'), String(page.length))
    found.push(...page)
    if (tag(text, 'IsTruncated') === 'false') return found
    token = tag(text, 'NextContinuationToken') ?? ''
  }
}

test('ListObjectsV2 lists every key once, whatever the page size', async () => {
  const bucket = await filled()
  const escaped = keys.map((key) => key.replace('&<>', '&amp;&lt;&gt;'))
  for (const size of [1, 2, 3, 1000]) assert.deepEqual(await all(bucket, `&max-keys=${size}`), escaped)
  for (const size of [1, 2, 1000]) {
    assert.deepEqual((await all(bucket, `&delimiter=%2F&max-keys=${size}`)).sort(), [
      'a',
      'b/',
      'c/',
      'd ü',
      'e&amp;&lt;&gt;',
    ])
  }
  assert.deepEqual(await all(bucket, '&prefix=b%2F&delimiter=%2F'), ['b/1', 'b/2'])
})

test('ListObjectsV2 starts after a key, encodes names, shows owners on request', async () => {
  const bucket = await filled()
  assert.deepEqual(await all(bucket, '&start-after=b%2F2&encoding-type=url'), [
    'c/1',
    'd%20%C3%BC',
    'e%26%3C%3E',
  ])
  const plain = await at.s3.send({ path: `/${bucket}?list-type=2` })
  assert.equal(tags(plain.text, 'Owner').length + tags(plain.text, 'ID').length, 0)
  const owned = await at.s3.send({ path: `/${bucket}?list-type=2&fetch-owner=true` })
  assert.equal(tags(owned.text, 'ID').length, keys.length)
  assert.equal(tags(owned.text, 'ChecksumAlgorithm')[0], 'CRC64NVME')
})

test('an empty continuation token is none; an unordered listing has no delimiter', async () => {
  const bucket = await filled()
  const { text } = await at.s3.send({ path: `/${bucket}?list-type=2&continuation-token=` })
  assert.equal(tags(text, 'Key').length, keys.length)
  assert.equal(tag(text, 'ContinuationToken'), '')
  const unordered = `/${bucket}?list-type=2&allow-unordered=true`
  assert.equal(tags((await at.s3.send({ path: unordered })).text, 'Key').length, keys.length)
  assertError(await at.s3.send({ path: `${unordered}&delimiter=%2F` }), 400, 'InvalidArgument')
})

test('ListObjectsV2 refuses tokens and sizes that are none, and strangers', async () => {
  const bucket = await at.bucket()
  assertError(
    await at.s3.send({ path: `/${bucket}?continuation-token=x&list-type=2` }),
    400,
    'InvalidArgument',
  )
  assertError(await at.s3.send({ path: `/${bucket}?list-type=2&max-keys=x` }), 400, 'InvalidArgument')
  assertError(await at.other.send({ path: `/${bucket}?list-type=2` }), 403, 'AccessDenied')
  const none = await at.s3.send({ path: `/${bucket}?list-type=2&max-keys=0` })
  assert.deepEqual([tag(none.text, 'KeyCount'), tag(none.text, 'IsTruncated')], ['0', 'false'])
})
