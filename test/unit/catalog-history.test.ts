/** Versions of a key, case by case; random orders are in catalog-random.test.ts and catalog-worm.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WriteRules } from '../../node/core/bucket-configuration.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogCommand, CatalogQuery, ListedVersion, Page } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import {
  bucketId,
  census,
  complete,
  createUpload,
  del,
  openCatalog,
  put,
  putPart,
} from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>
type ListQuery = Omit<Extract<CatalogQuery, { kind: 'list-versions' }>, 'kind' | 'bucketId'>

function setRules(driver: Driver, rules: WriteRules): void {
  driver.run({ kind: 'set-write-rules', bucketId, rules })
}

function versioned(versioning: WriteRules['versioning'] = 'Enabled'): Driver {
  const driver = openCatalog()
  setRules(driver, { revision: 1, versioning })
  return driver
}

function delVersion(
  key: string,
  versionId: string,
  extra: Partial<Command<'delete-version'>> = {},
): Command<'delete-version'> {
  return { kind: 'delete-version', bucketId, key, versionId, nowMs: 5000, conditions: {}, ...extra }
}

async function list(driver: Driver, query: Partial<ListQuery> = {}): Promise<Page<ListedVersion>> {
  const all = { prefix: '', delimiter: '', afterKey: '', afterVersionId: '', limit: 1000 }
  return answerCatalogQuery(driver.rows, { kind: 'list-versions', bucketId, ...all, ...query })
}

/** `key:id`, with `*` for the latest and `!` for markers. */
function shown(item: ListedVersion): string {
  return `${item.key}:${item.versionId}${item.isLatest ? '*' : ''}${item.kind === 'marker' ? '!' : ''}`
}

async function ids(driver: Driver, query: Partial<ListQuery> = {}): Promise<string[]> {
  return (await list(driver, query)).items.map(shown)
}

test('an overwritten version stays, with its blobs, and a put tells under what it was written', () => {
  const driver = versioned()
  assert.deepEqual(driver.run(put('k', '01', ['aa'])), {
    versionId: '01',
    modifiedMs: 1000,
    replaced: false,
    versioning: 'Enabled',
  })
  driver.run(put('k', '02', ['bb', 'cc', 'dd', 'ee', 'ff']))
  driver.run(put('k', '03', []))
  const { referenced, garbage } = census(driver.rows)
  assert.equal(referenced.size, 6)
  assert.equal(garbage.size, 0)
})

test('removing the current version makes the next newest one current, marker or version', async () => {
  const driver = versioned()
  driver.run(put('k', '01', ['aa']))
  driver.run(del('k', { markerId: 'd1', nowMs: 10 }))
  driver.run(put('k', '02', ['bb', 'cc', 'dd', 'ee', 'ff']))
  assert.deepEqual(await ids(driver), ['k:02*', 'k:d1!', 'k:01'])
  assert.deepEqual(driver.run(delVersion('k', '02')), { existed: true, wasMarker: false })
  assert.deepEqual(await ids(driver), ['k:d1*!', 'k:01'])
  assert.deepEqual(driver.run(delVersion('k', 'd1')), { existed: true, wasMarker: true })
  assert.deepEqual(await ids(driver), ['k:01*'])
  driver.run(delVersion('k', '01'))
  assert.deepEqual(await ids(driver), [])
  driver.run({ kind: 'close-bucket', bucketId, attempt: 2 })
  census(driver.rows)
})

test('a noncurrent version is removed without moving the others', async () => {
  const driver = versioned()
  for (const id of ['01', '02', '03']) driver.run(put('k', id, [`a${id}`]))
  driver.run(delVersion('k', '02'))
  assert.deepEqual(await ids(driver), ['k:03*', 'k:01'])
  assert.deepEqual([...census(driver.rows).garbage], ['a02'])
})

test('deleting in a versioned bucket makes a marker each time, also for a key that never was', async () => {
  const driver = versioned()
  assert.deepEqual(driver.run(del('k', { markerId: 'd1', ownerId: 'user-2' })), {
    existed: false,
    marker: { versionId: 'd1', versioned: true },
  })
  driver.run(put('k', '01', ['aa']))
  assert.deepEqual(driver.run(del('k', { markerId: 'd2' })), {
    existed: true,
    marker: { versionId: 'd2', versioned: true },
  })
  driver.run(del('k', { markerId: 'd3' }))
  assert.deepEqual(await ids(driver), ['k:d3*!', 'k:d2!', 'k:01', 'k:d1!'])
  assert.equal((await list(driver)).items[3]?.ownerId, 'user-2')
  assert.equal(driver.refused(del('k')).code, 'BadMessage')
})

test('deletions and puts that are repeated late are answered like the first time and change nothing', () => {
  const driver = versioned()
  const first = driver.run(put('k', '01', ['aa'], { conditions: { ifNoneMatch: '*' } }))
  const marker = driver.run(del('k', { markerId: 'd1' }))
  const commands = [
    put('k', '01', ['aa'], { conditions: { ifNoneMatch: '*' } }),
    del('k', { markerId: 'd1' }),
  ]
  const again = () => {
    const before = new Map(driver.rows.rows)
    assert.deepEqual(
      commands.map((command) => driver.run(command)),
      [first, marker],
    )
    assert.deepEqual(driver.rows.rows, before)
  }
  again()
  driver.run(put('k', '02', ['bb']))
  again()
  driver.run(delVersion('k', 'd1'))
  driver.run(delVersion('k', '01'))
  again()
  driver.run(delVersion('k', '02'))
  again()
  assert.deepEqual(driver.run(delVersion('k', '02')), { existed: false, wasMarker: false })
})

test('what was written before versioning is the null version, and stays when it is overwritten', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  setRules(driver, { revision: 1, versioning: 'Enabled' })
  driver.run(put('k', '02', ['bb']))
  const find = { kind: 'find-object', bucketId, key: 'k', versionId: 'null', blobsFor: 'none' } as const
  assert.equal((await answerCatalogQuery(driver.rows, find)).version?.versionId, '01')
  driver.run(delVersion('k', '02'))
  assert.equal((await answerCatalogQuery(driver.rows, find)).version?.versionId, '01')
})

test('suspended, a write replaces the null version wherever it lies, and no other', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  setRules(driver, { revision: 1, versioning: 'Enabled' })
  driver.run(put('k', '02', ['bb']))
  setRules(driver, { revision: 2, versioning: 'Suspended' })
  driver.run(put('k', '03', ['cc']))
  assert.deepEqual(await ids(driver), ['k:03*', 'k:02'])
  driver.run(put('k', '04', ['dd']))
  assert.deepEqual(await ids(driver), ['k:04*', 'k:02'])
  assert.deepEqual(driver.run(del('k', { markerId: 'd1' })), { existed: true, marker: { versionId: 'd1' } })
  assert.deepEqual(await ids(driver), ['k:d1*!', 'k:02'])
  driver.run(del('k', { markerId: 'd2' }))
  assert.deepEqual(await ids(driver), ['k:d2*!', 'k:02'])
  setRules(driver, { revision: 3, versioning: 'Enabled' })
  driver.run(put('k', '05', ['ee']))
  setRules(driver, { revision: 4, versioning: 'Suspended' })
  driver.run(put('k', '06', ['ff']))
  assert.deepEqual(await ids(driver), ['k:06*', 'k:05', 'k:02'])
  assert.deepEqual([...census(driver.rows).garbage].sort(), ['aa', 'cc', 'dd'])
})

test('a condition on the object finds none where a delete marker is current', () => {
  const driver = versioned()
  driver.run(put('k', '01', ['aa'], { etag: 'e1' }))
  driver.run(del('k', { markerId: 'd1' }))
  const ifMatch = { conditions: { ifMatch: '*' } }
  assert.deepEqual(driver.refused(put('k', '02', ['bb'], ifMatch)), {
    code: 'NoSuchObject',
    details: { deleteMarker: true },
  })
  assert.equal(driver.refused(del('k', { markerId: 'd2', ...ifMatch })).code, 'NoSuchObject')
  driver.run(put('k', '02', ['bb'], { conditions: { ifNoneMatch: '*' } }))
})

test('conditions on size, time and ETag of the version that is to go', () => {
  const driver = versioned()
  driver.run(put('k', '01', ['aa'], { etag: 'e1', modifiedMs: 7_500 }))
  driver.run(put('k', '02', ['bb'], { etag: 'e2' }))
  for (const conditions of [{ ifMatch: 'e2' }, { ifMatchBytes: 99 }, { ifMatchModifiedMs: 8_000 }]) {
    assert.equal(driver.refused(delVersion('k', '01', { conditions })).code, 'PreconditionFailed')
  }
  const conditions = { ifMatch: 'e1', ifMatchBytes: 100, ifMatchModifiedMs: 7_000 }
  assert.equal(driver.run<{ existed: boolean }>(delVersion('k', '01', { conditions })).existed, true)
  assert.equal(
    driver.refused(del('k', { markerId: 'd1', conditions: { ifMatchBytes: 1 } })).code,
    'PreconditionFailed',
  )
})

test('a deletion that names what expired makes no marker when something else is current', async () => {
  const driver = versioned()
  driver.run(put('k', '01', ['aa']))
  const expire = del('k', { versionId: '01', markerId: 'd1' })
  driver.run(put('k', '02', ['bb']))
  assert.equal(driver.refused(expire).code, 'ConditionalConflict')
  driver.run(del('k', { markerId: 'd2' }))
  assert.deepEqual(driver.run(expire), { existed: false })
  assert.deepEqual(await ids(driver), ['k:d2*!', 'k:02', 'k:01'])
})

test('a group with older rules than the gateway refuses to decide, and one that learnt them does', async () => {
  const driver = openCatalog()
  const rulesRevision = 2
  const commands = [
    put('k', '01', ['aa'], { rulesRevision }),
    del('k', { rulesRevision, markerId: 'd1' }),
    { ...createUpload('k', 'e1'), rulesRevision },
  ]
  for (const command of commands) assert.equal(driver.refused(command).code, 'WriteRulesBehind')
  setRules(driver, { revision: 3, versioning: 'Enabled' })
  for (const command of commands) driver.run(command)
  assert.deepEqual(await ids(driver), ['k:d1*!', 'k:01'])
})

test('an upload hands over what it carries, and gets the default retention when it has none', async () => {
  const driver = openCatalog()
  const defaultRetention = { mode: 'GOVERNANCE', years: 1 } as const
  setRules(driver, { revision: 1, versioning: 'Enabled', objectLock: { defaultRetention } })
  const own = { mode: 'COMPLIANCE', untilMs: 99 } as const
  for (const [uploadId, lock] of [
    ['e1', {}],
    ['e2', { retention: own, legalHold: true, tags: { a: 'b' } }],
  ] as const) {
    const create = createUpload('k', uploadId)
    driver.run({ ...create, upload: { ...create.upload, ...lock } })
    driver.run(putPart('k', uploadId, 1, `a${uploadId}`))
  }
  const find = { kind: 'find-object', bucketId, key: 'k', blobsFor: 'none' } as const
  driver.leaderMs = 500
  const reply = driver.run<{ versioning: string }>(complete('k', 'e1', [[1, 'ae1']], { nowMs: 700 }))
  assert.equal(reply.versioning, 'Enabled')
  const first = (await answerCatalogQuery(driver.rows, find)).version
  assert.deepEqual(first?.retention, { mode: 'GOVERNANCE', untilMs: 700 + 365 * 86_400_000 })
  driver.run(complete('k', 'e2', [[1, 'ae2']]))
  const second = (await answerCatalogQuery(driver.rows, find)).version
  assert.deepEqual([second?.retention, second?.legalHold, second?.tags], [own, true, { a: 'b' }])
})

test('versions page by key and id; a marker whose version is gone loses nothing', async () => {
  const driver = versioned()
  for (const id of ['01', '02', '03']) driver.run(put('a', id, []))
  driver.run(put('a\u0000', '04', []))
  driver.run(put('dir/x', '05', []))
  driver.run(put('dir/y', '06', []))
  driver.run(put('z', '07', []))
  const all = ['a:03*', 'a:02', 'a:01', 'a\u0000:04*', 'dir/x:05*', 'dir/y:06*', 'z:07*']
  assert.deepEqual(await ids(driver), all)
  assert.deepEqual(await ids(driver, { afterKey: 'a' }), all.slice(3))
  assert.deepEqual(await ids(driver, { afterKey: 'a', afterVersionId: '03' }), all.slice(1))
  assert.deepEqual(await ids(driver, { afterKey: 'a', afterVersionId: '02' }), all.slice(2))
  assert.deepEqual(await ids(driver, { afterKey: 'a', afterVersionId: '01' }), all.slice(3))
  assert.deepEqual(await ids(driver, { afterKey: 'a', afterVersionId: '99' }), all)
  assert.deepEqual(
    await ids(driver, { prefix: 'dir/', afterKey: 'a', afterVersionId: '01' }),
    all.slice(4, 6),
  )
  const rolled = await list(driver, { delimiter: '/' })
  assert.deepEqual(
    [rolled.items.map(shown), rolled.commonPrefixes],
    [['a:03*', 'a:02', 'a:01', 'a\u0000:04*', 'z:07*'], ['dir/']],
  )
  assert.deepEqual(await ids(driver, { delimiter: '/', afterKey: 'dir/' }), ['z:07*'])
  assert.deepEqual(await list(driver, { limit: 0 }), { items: [], commonPrefixes: [], truncated: false })
})

const keyText = fc
  .array(fc.constantFrom('a', 'b', '/', '\u0000', 'ü', '\u{10000}', '\uffff'), { minLength: 1, maxLength: 4 })
  .map((characters) => characters.join(''))

test('pages of versions of several groups merge into what one group would list, and walking them passes over nothing', async () => {
  const placed = fc.array(fc.tuple(keyText, fc.boolean()), { maxLength: 25 })
  const queries = fc.record({
    prefix: fc.oneof(fc.constant(''), keyText),
    delimiter: fc.constantFrom('', '/', 'a'),
    limit: fc.integer({ min: 1, max: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(placed, queries, async (writes, query) => {
      const one = versioned()
      const groups = [versioned(), versioned()]
      writes.forEach(([key, isMarker], at) => {
        const id = (at + 1).toString(16).padStart(2, '0')
        const command = isMarker
          ? del(key, { markerId: id, nowMs: at })
          : put(key, id, [], { modifiedMs: at })
        const group = groups[key.length % 2]
        assert.ok(group !== undefined)
        for (const driver of [one, group]) driver.run(command)
      })
      const { limit, ...rest } = query
      const whole = await list(one, { ...rest, limit: 1000 })
      const walked = { items: [] as ListedVersion[], commonPrefixes: [] as string[] }
      let after = { afterKey: '', afterVersionId: '' }
      for (let page = 0; page <= writes.length; page += 1) {
        const pages = await Promise.all(groups.map((driver) => list(driver, { ...query, ...after })))
        const merged = mergePages(pages, limit)
        assert.ok(merged.items.length + merged.commonPrefixes.length <= limit)
        walked.items.push(...merged.items)
        walked.commonPrefixes.push(...merged.commonPrefixes)
        if (!merged.truncated || merged.last === undefined) break
        after =
          'item' in merged.last
            ? { afterKey: merged.last.item.key, afterVersionId: merged.last.item.versionId }
            : { afterKey: merged.last.commonPrefix, afterVersionId: '' }
      }
      assert.deepEqual(walked, { items: whole.items, commonPrefixes: whole.commonPrefixes })
    }),
    { numRuns: 200 },
  )
})

test('a listing of versions seeks over the keys that share a common prefix', async () => {
  const driver = versioned()
  for (let at = 0; at < 200; at += 1) driver.run(put(`dir${at % 2}/${at % 20}`, at.toString(16), []))
  driver.rows.scannedRows = 0
  assert.deepEqual((await list(driver, { delimiter: '/' })).commonPrefixes, ['dir0/', 'dir1/'])
  assert.ok(driver.rows.scannedRows <= 6, `${driver.rows.scannedRows} rows`)
})
