import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogQuery, ListedObject, ListedUpload, Page } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import { bucketId, createUpload, openCatalog, put, version } from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

type ListQuery = Omit<Extract<CatalogQuery, { kind: 'list-objects' }>, 'kind' | 'bucketId'>

const everything: ListQuery = { prefix: '', delimiter: '', after: '', limit: 1000 }

function holding(keys: readonly string[]): Driver {
  const driver = openCatalog()
  keys.forEach((key, at) => {
    driver.run(put(key, at.toString(16), []))
  })
  return driver
}

async function list(driver: Driver, query: Partial<ListQuery>): Promise<Page<ListedObject>> {
  return answerCatalogQuery(driver.rows, { kind: 'list-objects', bucketId, ...everything, ...query })
}

/** Keys and prefixes in order, as a client would see them; `...` when there is more. */
function shown(page: Page<{ key: string }>): string[] {
  const entries = [
    ...page.items.map((item) => item.key),
    ...page.commonPrefixes.map((prefix) => `[${prefix}]`),
  ]
  const byName = (name: string) => Buffer.from(name.replace(/^\[(.*)\]$/s, '$1'))
  entries.sort((a, b) => byName(a).compare(byName(b)))
  return page.truncated ? [...entries, '...'] : entries
}

test('keys are listed in the order of their UTF-8 bytes, with what a listing shows', async () => {
  const driver = holding(['b', 'a', '\u{1f693}', '\uffee', 'ü', 'B', 'a\u0000'])
  assert.deepEqual(shown(await list(driver, {})), ['B', 'a', 'a\u0000', 'b', 'ü', '\uffee', '\u{1f693}'])
  const { versionId, bytes, etag, modifiedMs, ownerId } = version('0', 'b')
  const [, , , listed] = (await list(driver, {})).items
  assert.deepEqual(listed, { key: 'b', versionId, bytes, etag, modifiedMs, ownerId })
})

test('a delimiter rolls keys up to common prefixes', async () => {
  const driver = holding(['2026/01/a', '2026/01/b', '2026/02/a', 'readme', '2026', '2026/'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/' })), ['2026', '[2026/]', 'readme'])
  const inside = await list(driver, { delimiter: '/', prefix: '2026/' })
  assert.deepEqual(shown(inside), ['2026/', '[2026/01/]', '[2026/02/]'])
  assert.deepEqual(shown(await list(driver, { delimiter: '01/', prefix: '20' })), [
    '2026',
    '2026/',
    '[2026/01/]',
    '2026/02/a',
  ])
})

test('a page ends at its limit, items and prefixes together, and says whether there is more', async () => {
  const driver = holding(['a/1', 'a/2', 'b', 'c/1', 'd'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/', limit: 2 })), ['[a/]', 'b', '...'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/', limit: 2, after: 'b' })), ['[c/]', 'd'])
  assert.deepEqual(shown(await list(driver, { limit: 5 })), ['a/1', 'a/2', 'b', 'c/1', 'd'])
  assert.deepEqual(shown(await list(driver, { limit: 4 })), ['a/1', 'a/2', 'b', 'c/1', '...'])
  assert.deepEqual(shown(await list(driver, { limit: 0 })), [])
})

test('a common prefix that was returned is not returned again, a key inside one does not hide it', async () => {
  const driver = holding(['a/1', 'a/2', 'b'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/', after: 'a/' })), ['b'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/', after: 'a/1' })), ['[a/]', 'b'])
  assert.deepEqual(shown(await list(driver, { delimiter: '/', after: 'a/2' })), ['b'])
  assert.deepEqual(shown(await list(driver, { after: 'a/' })), ['a/1', 'a/2', 'b'])
})

test('a marker before, inside or behind the prefix starts there', async () => {
  const driver = holding(['a', 'p1', 'p2', 'z'])
  assert.deepEqual(shown(await list(driver, { prefix: 'p', after: 'a' })), ['p1', 'p2'])
  assert.deepEqual(shown(await list(driver, { prefix: 'p', after: 'p1' })), ['p2'])
  assert.deepEqual(shown(await list(driver, { prefix: 'p', after: 'z' })), [])
})

test('buckets do not see each other', async () => {
  const driver = holding(['a'])
  driver.run({ kind: 'open-bucket', bucketId: 'b0c4e70', attempt: 1 })
  const other = { kind: 'list-objects', bucketId: 'b0c4e70', ...everything } as const
  assert.deepEqual(shown(await answerCatalogQuery(driver.rows, other)), [])
})

test('a listing seeks over the keys that share a common prefix instead of reading them', async () => {
  const driver = holding(Array.from({ length: 300 }, (_, at) => `dir${at % 3}/${at}`))
  driver.rows.scannedRows = 0
  assert.deepEqual(shown(await list(driver, { delimiter: '/' })), ['[dir0/]', '[dir1/]', '[dir2/]'])
  assert.equal(driver.rows.scannedRows, 3)
})

const keyText = fc
  .array(fc.constantFrom('a', 'b', '/', '//', '\u0000', 'ü', '\u{10000}', '\uffff'), {
    minLength: 1,
    maxLength: 5,
  })
  .map((characters) => characters.join(''))

/** What S3's documentation says, key by key, with everything in one sorted array. */
function slowList(keys: readonly string[], query: ListQuery): Page<{ key: string }> {
  const bytes = (text: string) => Buffer.from(text)
  const entries: { key: string; rolled: boolean }[] = []
  for (const key of [...new Set(keys)].sort((a, b) => bytes(a).compare(bytes(b)))) {
    if (!key.startsWith(query.prefix) || bytes(key).compare(bytes(query.after)) <= 0) continue
    const rest = key.slice(query.prefix.length)
    const at = query.delimiter === '' ? -1 : rest.indexOf(query.delimiter)
    const rolled = at < 0 ? undefined : query.prefix + rest.slice(0, at + query.delimiter.length)
    if (rolled === undefined) entries.push({ key, rolled: false })
    else if (rolled !== query.after && entries.at(-1)?.key !== rolled)
      entries.push({ key: rolled, rolled: true })
  }
  const page = entries.slice(0, query.limit)
  return {
    items: page.filter((entry) => !entry.rolled).map(({ key }) => ({ key })),
    commonPrefixes: page.filter((entry) => entry.rolled).map(({ key }) => key),
    truncated: query.limit > 0 && entries.length > query.limit,
  }
}

const listQueries = fc.record({
  prefix: fc.oneof(fc.constant(''), keyText),
  delimiter: fc.constantFrom('', '/', '//', 'a', 'ü'),
  after: fc.oneof(fc.constant(''), keyText),
  limit: fc.integer({ min: 0, max: 6 }),
})

test('listings agree with sorting and rolling up all keys', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(keyText, { maxLength: 15 }), listQueries, async (keys, query) => {
      const driver = holding([...new Set(keys)])
      assert.deepEqual(shown(await list(driver, query)), shown(slowList(keys, query)))
    }),
    { numRuns: 400 },
  )
})

test('pages of several groups merge into what one group would have listed, and walking them passes over nothing', async () => {
  const groupsOfKeys = fc.array(fc.tuple(keyText, fc.integer({ min: 0, max: 2 })), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(groupsOfKeys, listQueries, async (placed, drawn) => {
      const query = { ...drawn, limit: Math.max(1, drawn.limit) }
      const groupOf = new Map(placed)
      const drivers = [0, 1, 2].map((group) =>
        holding([...groupOf.keys()].filter((key) => groupOf.get(key) === group)),
      )
      let after = query.after
      for (let page = 0; page < 50; page += 1) {
        const pages = await Promise.all(drivers.map((driver) => list(driver, { ...query, after })))
        const merged = mergePages(pages, query.limit)
        const expected = slowList([...groupOf.keys()], { ...query, after })
        assert.deepEqual(shown(merged), shown(expected))
        if (!merged.truncated) return
        assert.ok(merged.last !== undefined)
        after = 'item' in merged.last ? merged.last.item.key : merged.last.commonPrefix
      }
      assert.fail('a walk of 20 keys ends within 50 pages')
    }),
    { numRuns: 200 },
  )
})

test('a merged page stops where the knowledge of a truncated group ends', () => {
  const page = (truncated: boolean, ...keys: string[]): Page<{ key: string }> => ({
    items: keys.map((key) => ({ key })),
    commonPrefixes: [],
    truncated,
  })
  assert.deepEqual(shown(mergePages([page(true, 'a', 'c'), page(false, 'b', 'd')], 10)), [
    'a',
    'b',
    'c',
    '...',
  ])
  assert.deepEqual(shown(mergePages([page(true), page(false, 'b')], 10)), ['...'])
  assert.deepEqual(shown(mergePages([page(false, 'a', 'c'), page(false, 'b')], 10)), ['a', 'b', 'c'])
  assert.deepEqual(shown(mergePages([page(true, 'a'), page(true, 'b')], 1)), ['a', '...'])
  assert.deepEqual(shown(mergePages([page(true, 'a'), page(true, 'b')], 0)), [])
  assert.deepEqual(shown(mergePages<{ key: string }>([], 5)), [])
})

async function uploads(
  driver: Driver,
  query: Partial<Extract<CatalogQuery, { kind: 'list-uploads' }>>,
): Promise<Page<ListedUpload>> {
  const all = { prefix: '', delimiter: '', afterKey: '', afterUploadId: '', limit: 1000 }
  return answerCatalogQuery(driver.rows, { kind: 'list-uploads', bucketId, ...all, ...query })
}

test('uploads are listed by key, then by id, from a marker of key and id', async () => {
  const driver = openCatalog()
  for (const [key, uploadId] of [
    ['b', 'e3'],
    ['a', 'e2'],
    ['a', 'e1'],
    ['a\u0000', 'e0'],
    ['a/x', 'e5'],
    ['a/y', 'e4'],
  ] as const) {
    driver.run(createUpload(key, uploadId))
  }
  const ids = async (query: Parameters<typeof uploads>[1]) =>
    (await uploads(driver, query)).items.map((each) => each.uploadId)
  assert.deepEqual(await ids({}), ['e1', 'e2', 'e0', 'e5', 'e4', 'e3'])
  assert.deepEqual(await ids({ afterKey: 'a' }), ['e0', 'e5', 'e4', 'e3'])
  assert.deepEqual(await ids({ afterKey: 'a', afterUploadId: 'e1' }), ['e2', 'e0', 'e5', 'e4', 'e3'])
  assert.deepEqual(await ids({ afterKey: 'a', afterUploadId: 'zz' }), ['e0', 'e5', 'e4', 'e3'])
  assert.deepEqual(await ids({ prefix: 'a/' }), ['e5', 'e4'])
  assert.deepEqual(await ids({ prefix: 'a/', afterKey: 'a', afterUploadId: 'e1' }), ['e5', 'e4'])
  assert.deepEqual(shown(await uploads(driver, { delimiter: '/' })), ['a', 'a', 'a\u0000', '[a/]', 'b'])
  assert.deepEqual(shown(await uploads(driver, { delimiter: '/', afterKey: 'a/' })), ['b'])
  const page = await uploads(driver, { limit: 2 })
  assert.equal(page.truncated, true)
  assert.deepEqual(page.items[0], { key: 'a', uploadId: 'e1', startedMs: 500, ownerId: 'user-1' })
})

test('uploads of one key in several pages merge by their ids', async () => {
  const driver = openCatalog()
  for (const uploadId of ['e1', 'e2', 'e3']) driver.run(createUpload('a', uploadId))
  const merged = mergePages([await uploads(driver, { limit: 2 })], 2)
  assert.equal(merged.truncated, true)
  assert.deepEqual(merged.last, { item: merged.items[1] })
  assert.deepEqual(
    merged.items.map((each) => each.uploadId),
    ['e1', 'e2'],
  )
})
