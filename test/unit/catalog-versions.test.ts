import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checksumAlgorithms, checksums } from '../../gateway/s3/checksum.ts'
import { wrongWithCommand } from '../../node/core/catalog-check.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { bucketId, census, del, inline, openCatalog, put, sharded, version } from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

function find(
  driver: Driver,
  key: string,
  blobsFor: 'all' | 'none' | { firstByte: number; lastByte: number } | { partNumber: number } = 'all',
) {
  return answerCatalogQuery(driver.rows, { kind: 'find-object', bucketId, key, blobsFor })
}

test('a version that was put is found with its blobs', async () => {
  const driver = openCatalog()
  const command = put('k', '01', ['aa', 'bb'])
  assert.deepEqual(driver.run(command), { versionId: '01', modifiedMs: 1000, replaced: false })
  assert.deepEqual(await find(driver, 'k'), {
    version: command.version,
    blobs: [sharded('aa'), sharded('bb')],
  })
  assert.deepEqual(await find(driver, 'other'), { version: undefined, blobs: [] })
})

test('a version may carry a checksum of every algorithm that the gateway computes, and no other', async () => {
  const driver = openCatalog()
  for (const algorithm of checksumAlgorithms) {
    const value = Buffer.alloc(checksums[algorithm].digestBytes).toString('base64')
    const checksum = { algorithm, type: 'FULL_OBJECT', value } as const
    driver.run(put(algorithm, '01', [], { version: version('01', algorithm, { checksum }) }))
    assert.deepEqual((await find(driver, algorithm)).version?.checksum, checksum)
  }
  const unknown = { algorithm: 'ROT13' as 'MD5', type: 'FULL_OBJECT', value: 'AAAA' } as const
  const refused = wrongWithCommand(put('k', '01', [], { version: version('01', 'k', { checksum: unknown }) }))
  assert.match(refused ?? '', /algorithm/)
})

test('an inline blob comes back with its bytes', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa'], { make: inline }))
  const { blobs } = await find(driver, 'k')
  assert.equal(blobs[0]?.kind === 'inline' && Buffer.from(blobs[0].data).toString('hex'), '010203')
})

test('replacing a version turns its blobs into garbage and keeps the new ones', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa', 'ab']))
  assert.deepEqual(driver.run(put('k', '02', ['bb'])), { versionId: '02', modifiedMs: 1001, replaced: true })
  const { referenced, garbage } = census(driver.rows)
  assert.deepEqual([...referenced], ['bb'])
  assert.deepEqual([...garbage].sort(), ['aa', 'ab'])
})

test('an inline blob that is replaced leaves a fence and no garbage: nobody holds shards of it', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa'], { make: inline }))
  driver.run(put('k', '02', ['bb'], { make: inline }))
  const { garbage, fenced } = census(driver.rows)
  assert.deepEqual([...garbage], [])
  assert.deepEqual([...fenced], ['aa'])
})

test('modification times rise with every version of a key, whatever the clocks of gateways say', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', [], { modifiedMs: 9000 }))
  assert.equal(driver.run<{ modifiedMs: number }>(put('k', '02', [], { modifiedMs: 10 })).modifiedMs, 9001)
  assert.equal(driver.run<{ modifiedMs: number }>(put('k', '03', [], { modifiedMs: 9500 })).modifiedMs, 9500)
})

test('a put that is repeated while its version is current is answered like the first time', () => {
  const driver = openCatalog()
  const first = driver.run(put('k', '01', ['aa'], { conditions: { ifNoneMatch: '*' } }))
  const before = new Map(driver.rows.rows)
  assert.deepEqual(driver.run(put('k', '01', ['aa'], { conditions: { ifNoneMatch: '*' } })), first)
  assert.deepEqual(driver.rows.rows, before)
})

for (const [name, blobIds] of [
  ['sharded', ['aa']],
  ['empty', []],
] as const) {
  test(`a put of an ${name} version that is repeated after it was replaced changes nothing and gets its old answer`, () => {
    const driver = openCatalog()
    const first = driver.run(put('k', '01', blobIds))
    driver.run(put('k', '02', ['bb']))
    driver.run({ kind: 'forget-garbage', blobIds })
    const before = new Map(driver.rows.rows)
    assert.deepEqual(driver.run(put('k', '01', blobIds)), first)
    assert.deepEqual(driver.rows.rows, before)
    driver.run(del('k'))
    assert.deepEqual(driver.run(put('k', '01', blobIds)), first)
    assert.deepEqual(driver.run(put('k', '02', ['bb'])), {
      versionId: '02',
      modifiedMs: 1001,
      replaced: true,
    })
    census(driver.rows)
  })
}

test('If-None-Match: * is refused when the key has a version', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa'], { conditions: { ifNoneMatch: '*' } }))
  const refused = driver.refused(put('k', '02', ['bb'], { conditions: { ifNoneMatch: '*' } }))
  assert.deepEqual(refused, { code: 'PreconditionFailed', details: { condition: 'If-None-Match' } })
  driver.run(del('k'))
  driver.run(put('k', '03', ['cc'], { conditions: { ifNoneMatch: '*' } }))
})

test('If-Match compares the ETag of the current version, and is NoSuchObject on a missing key as at AWS', () => {
  const driver = openCatalog()
  const ifMatch = (etag: string) => ({ conditions: { ifMatch: etag } })
  assert.equal(driver.refused(put('k', '01', ['aa'], ifMatch('e1'))).code, 'NoSuchObject')
  driver.run(put('k', '01', ['aa'], { etag: 'e1' }))
  assert.equal(driver.refused(put('k', '02', ['bb'], ifMatch('e2'))).code, 'PreconditionFailed')
  driver.run(put('k', '02', ['bb'], { etag: 'e2', ...ifMatch('e1') }))
  driver.run(put('k', '03', ['cc'], ifMatch('*')))
})

test('deleting is idempotent, and obeys conditions', () => {
  const driver = openCatalog()
  assert.deepEqual(driver.run(del('k')), { existed: false })
  driver.run(put('k', '01', ['aa'], { etag: 'e1' }))
  assert.equal(driver.refused(del('k', { conditions: { ifMatch: 'e0' } })).code, 'PreconditionFailed')
  assert.deepEqual(driver.run(del('k', { conditions: { ifMatch: 'e1' } })), { existed: true })
  assert.equal(driver.refused(del('k', { conditions: { ifMatch: 'e1' } })).code, 'NoSuchObject')
  assert.deepEqual(driver.run(del('k')), { existed: false })
  assert.deepEqual([...census(driver.rows).garbage], ['aa'])
})

test('a delete that names a version spares a later one, however late it arrives', () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa']))
  const late = del('k', { versionId: '01' })
  assert.deepEqual(driver.run(late), { existed: true })
  assert.deepEqual(driver.run(late), { existed: false })
  driver.run(put('k', '02', ['bb']))
  assert.deepEqual(driver.refused(late), { code: 'ConditionalConflict', details: { versionId: '02' } })
  assert.deepEqual([...census(driver.rows).referenced], ['bb'])
})

test('a put naming a blob that was given up, or is in use elsewhere, is refused and changes nothing', () => {
  const driver = openCatalog()
  driver.run({ kind: 'abandon-blobs', blobIds: ['aa'], nowMs: 1 })
  assert.deepEqual(driver.refused(put('k', '01', ['bb', 'aa'])).details, { blobId: 'aa', state: 'fenced' })
  driver.run(put('k', '02', ['bb']))
  const refused = driver.refused(put('other', '03', ['bb']))
  assert.deepEqual(refused, { code: 'VersionAbandoned', details: { blobId: 'bb', state: 'referenced' } })
  assert.equal(driver.refused(put('k', '04', ['bb'])).code, 'VersionAbandoned')
  assert.deepEqual([...census(driver.rows).referenced], ['bb'])
})

test('a version with many extents keeps them apart and is whole when it is read, replaced and deleted', async () => {
  const driver = openCatalog()
  const blobIds = Array.from({ length: 20 }, (_, at) => `aa${at}`)
  const command = put('k', '01', blobIds)
  driver.run(command)
  census(driver.rows)
  const whole = await find(driver, 'k')
  assert.deepEqual(whole.version, command.version)
  assert.equal(whole.blobs.length, 20)
  assert.equal(
    driver.refused(
      put(
        'other',
        '01',
        blobIds.map((id) => `bb${id}`),
      ),
    ).code,
    'VersionAbandoned',
  )
  driver.run(
    put(
      'k',
      '02',
      blobIds.map((id) => `cc${id}`),
    ),
  )
  assert.equal(census(driver.rows).garbage.size, 20)
  driver.run(del('k'))
  assert.equal(census(driver.rows).garbage.size, 40)
})

test('a ranged read gets the blobs of the extents that it overlaps, and no others', async () => {
  const driver = openCatalog()
  driver.run(put('k', '01', ['aa', 'bb', 'cc']))
  const blobsOf = async (firstByte: number, lastByte: number) =>
    (await find(driver, 'k', { firstByte, lastByte })).blobs.map((blob) => blob.blobId)
  assert.deepEqual(await blobsOf(0, 99), ['aa'])
  assert.deepEqual(await blobsOf(99, 100), ['aa', 'bb'])
  assert.deepEqual(await blobsOf(100, 199), ['bb'])
  assert.deepEqual(await blobsOf(0, 299), ['aa', 'bb', 'cc'])
  assert.deepEqual(await blobsOf(300, 400), [])
  assert.deepEqual((await find(driver, 'k', 'none')).blobs, [])
  assert.equal((await find(driver, 'k', { partNumber: 1 })).blobs.length, 3)
  assert.equal((await find(driver, 'k', { partNumber: 2 })).blobs.length, 0)
})

test('malformed commands are answered with BadMessage and never stop the replica', () => {
  const driver = openCatalog()
  const good = put('k', '01', ['aa'])
  const bad: unknown[] = [
    undefined,
    null,
    7,
    'put-version',
    [],
    {},
    { kind: 'constructor' },
    { kind: 'no-such-command' },
    { ...good, bucketId: 'b0/../c' },
    { ...good, bucketId: 'UPPER' },
    { ...good, version: { ...good.version, key: 'x'.repeat(1025) } },
    { ...good, version: { ...good.version, key: 'ü'.repeat(513) } },
    { ...good, version: { ...good.version, bytes: 99 } },
    { ...good, version: { ...good.version, modifiedMs: Number.NaN } },
    { ...good, version: { ...good.version, metadata: undefined } },
    { ...good, blobs: [] },
    { ...good, blobs: [sharded('bb')] },
    { ...good, blobs: [{ ...sharded('aa'), holders: ['a-1'] }] },
    { ...good, blobs: [{ ...inline('aa'), bytes: 4 }] },
    { ...good, blobs: [sharded('aa'), sharded('aa')] },
    { ...good, conditions: { ifNoneMatch: 7 } },
    { ...good, conditions: undefined },
    { kind: 'abandon-blobs', blobIds: new Array(1001).fill('aa'), nowMs: 1 },
    { kind: 'complete-upload', parts: 7 },
    { kind: 'abort-upload', bucketId, key: 'k', uploadId: '../..' },
  ]
  for (const command of bad) assert.equal(driver.refused(command).code, 'BadMessage', JSON.stringify(command))
  driver.run(good)
})

test('fields that this version does not know are kept with the version', async () => {
  const driver = openCatalog()
  const command = put('k', '01', [])
  driver.run({ ...command, version: { ...version('01', 'k'), somethingNew: { a: 5 } } })
  assert.deepEqual(Object(await find(driver, 'k')).version.somethingNew, { a: 5 })
})

test('malformed queries are refused', async () => {
  const driver = openCatalog()
  for (const query of [
    { kind: 'find-object' },
    { kind: 'x' },
    { kind: 'list-objects', bucketId, limit: -1 },
  ]) {
    await assert.rejects(answerCatalogQuery(driver.rows, query as never), { code: 'BadMessage' })
  }
})
