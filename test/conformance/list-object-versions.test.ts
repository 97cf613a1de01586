import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, putObject, putVersion, setVersioning, versionOf } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

interface Entry {
  readonly kind: 'version' | 'marker'
  readonly key: string
  readonly versionId: string
  readonly latest: boolean
}

/** Versions and markers of a listing in the order in which they stand. */
function entriesOf(text: string): Entry[] {
  return [...text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].map(([, kind, inner = '']) => ({
    kind: kind === 'Version' ? 'version' : 'marker',
    key: tag(inner, 'Key') ?? '',
    versionId: tag(inner, 'VersionId') ?? '',
    latest: tag(inner, 'IsLatest') === 'true',
  }))
}

async function list(bucket: string, query = '') {
  const answer = await at.s3.send({ path: `/${bucket}?versions${query}` })
  assert.equal(answer.status, 200, answer.text)
  return answer.text
}

/** All pages of `size` entries, which must neither lose nor repeat one. */
async function all(
  bucket: string,
  size: number,
  query = '',
): Promise<{ entries: Entry[]; prefixes: string[] }> {
  const entries: Entry[] = []
  const prefixes: string[] = []
  let next = ''
  for (;;) {
    const text = await list(bucket, `&max-keys=${size}${query}${next}`)
    const page = entriesOf(text)
    const rolled = tags(text.replace(/.*?(?=<CommonPrefixes>|$)/s, ''), 'Prefix')
    assert.ok(page.length + rolled.length <= size)
    entries.push(...page)
    prefixes.push(...rolled)
    if (tag(text, 'IsTruncated') === 'false') return { entries, prefixes }
    assert.equal(page.length + rolled.length, size)
    const markers = ['key-marker', 'version-id-marker'].map((name) => {
      const value = tag(text, name === 'key-marker' ? 'NextKeyMarker' : 'NextVersionIdMarker')
      return value === undefined || value === '' ? '' : `&${name}=${encodeURIComponent(value)}`
    })
    next = markers.join('')
  }
}

const summary = ({ kind, key, versionId, latest }: Entry) =>
  `${key} ${kind} ${versionId}${latest ? ' latest' : ''}`

/** Three versions of `a`, a version under a marker of `b/1`, one version of `b/2`; newest first. */
async function filled(): Promise<{ bucket: string; expected: string[] }> {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const a = [1, 2, 3].map(() => putVersion(at.s3, `/${bucket}/a`, 'x'))
  const inOrder = [await a[0], await a[1], await a[2]]
  const b1 = await putVersion(at.s3, `/${bucket}/b/1`, 'y')
  const marker = versionOf(await at.s3.send({ method: 'DELETE', path: `/${bucket}/b/1` }))
  const b2 = await putVersion(at.s3, `/${bucket}/b/2`, 'z')
  const listed = entriesOf(await list(bucket, '&prefix=a')).map((entry) => entry.versionId)
  assert.deepEqual([...listed].sort(), [...inOrder].sort())
  return {
    bucket,
    expected: [
      ...listed.map((versionId, index) => `a version ${versionId}${index === 0 ? ' latest' : ''}`),
      `b/1 marker ${marker} latest`,
      `b/1 version ${b1}`,
      `b/2 version ${b2} latest`,
    ],
  }
}

test('ListObjectVersions lists versions and markers by key, newest first, whatever the page size', async () => {
  const { bucket, expected } = await filled()
  for (const size of [1, 2, 3, 5, 1000]) {
    assert.deepEqual((await all(bucket, size)).entries.map(summary), expected, `pages of ${size}`)
  }
  const under = await all(bucket, 1, '&prefix=b%2F')
  assert.deepEqual(under.entries.map(summary), expected.slice(3))
})

test('ListObjectVersions shows the newest of a key first, in the order of writing', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  const ids: string[] = []
  for (let index = 0; index < 5; index++) ids.push(await putVersion(at.s3, `/${bucket}/k`, `${index}`))
  const listed = entriesOf(await list(bucket)).map((entry) => entry.versionId)
  assert.deepEqual(listed, ids.reverse())
})

test('ListObjectVersions rolls up by delimiter and goes on behind a prefix', async () => {
  const { bucket, expected } = await filled()
  for (const size of [1, 2, 1000]) {
    const { entries, prefixes } = await all(bucket, size, '&delimiter=%2F')
    assert.deepEqual(entries.map(summary), expected.slice(0, 3))
    assert.deepEqual(prefixes, ['b/'])
  }
})

test('ListObjectVersions starts behind the markers that it is given', async () => {
  const { bucket, expected } = await filled()
  const [, second] = entriesOf(await list(bucket))
  assert.ok(second !== undefined)
  const behindKey = entriesOf(await list(bucket, '&key-marker=a'))
  assert.deepEqual(behindKey.map(summary), expected.slice(3))
  const behindVersion = entriesOf(await list(bucket, `&key-marker=a&version-id-marker=${second.versionId}`))
  assert.deepEqual(behindVersion.map(summary), expected.slice(2))
  assertError(
    await at.s3.send({ path: `/${bucket}?versions&version-id-marker=${second.versionId}` }),
    400,
    'InvalidArgument',
  )
  assertError(
    await at.s3.send({ path: `/${bucket}?versions&key-marker=a&version-id-marker=` }),
    400,
    'InvalidArgument',
  )
  assertError(
    await at.s3.send({ path: `/${bucket}?versions&key-marker=a&version-id-marker=xyz` }),
    400,
    'InvalidArgument',
  )
})

test('ListObjectVersions says of each version what it is', async () => {
  const bucket = await at.bucket({ versioning: 'Enabled' })
  await putVersion(at.s3, `/${bucket}/a%20%26%2B`, 'hello')
  const text = await list(bucket)
  assert.equal(tag(text, 'Name'), bucket)
  assert.deepEqual(
    ['Key', 'Size', 'ETag', 'StorageClass', 'IsLatest'].map((name) => tag(text, name)),
    ['a &amp;+', '5', '&quot;5d41402abc4b2a76b9719d911017c592&quot;', 'STANDARD', 'true'],
  )
  assert.ok(tag(text, 'LastModified')?.endsWith('Z'))
  assert.match(text, /<Owner><ID>[^<]+<\/ID><DisplayName>[^<]+<\/DisplayName><\/Owner>/)
  const encoded = await list(bucket, '&encoding-type=url&key-marker=%20&prefix=a')
  assert.deepEqual(
    ['EncodingType', 'Key', 'KeyMarker'].map((name) => tag(encoded, name)),
    ['url', 'a%20%26%2B', '%20'],
  )
  assertError(await at.s3.send({ path: `/${bucket}?versions&encoding-type=hex` }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: `/${bucket}?versions&max-keys=-1` }), 400, 'InvalidArgument')
  assertError(await at.other.send({ path: `/${bucket}?versions` }), 403, 'AccessDenied')
  const none = await list(bucket, '&max-keys=0')
  assert.deepEqual([entriesOf(none), tag(none, 'IsTruncated')], [[], 'false'])
})

test('ListObjectVersions calls what was written without versioning null', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'before')
  assert.deepEqual(entriesOf(await list(bucket)).map(summary), ['k version null latest'])
  await setVersioning(at.s3, bucket, 'Enabled')
  const versioned = await putVersion(at.s3, `/${bucket}/k`, 'enabled')
  assert.deepEqual(entriesOf(await list(bucket)).map(summary), [
    `k version ${versioned} latest`,
    'k version null',
  ])
  await setVersioning(at.s3, bucket, 'Suspended')
  await putObject(at.s3, `/${bucket}/k`, 'suspended')
  assert.deepEqual(entriesOf(await list(bucket)).map(summary), [
    'k version null latest',
    `k version ${versioned}`,
  ])
  assert.equal(versionOf(await at.s3.send({ method: 'DELETE', path: `/${bucket}/k` })), 'null')
  assert.deepEqual(entriesOf(await list(bucket)).map(summary), [
    'k marker null latest',
    `k version ${versioned}`,
  ])
})
