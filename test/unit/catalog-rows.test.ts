import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import { decodeRow, encodeRow } from '../../node/core/row-codec.ts'
import {
  abort,
  bucketId,
  complete,
  createUpload,
  del,
  inline,
  openCatalog,
  put,
  putPart,
} from './catalog-fixture.ts'
import { golden } from './golden-rows.ts'
import { openRegistry, putUser, reserve, setState, statement } from './registry-fixture.ts'

test('the rows of a catalog group are byte for byte the golden ones, and those can be read', async () => {
  const driver = openCatalog()
  const checksum = { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'AAAAAAAAAAA=' } as const
  driver.run(put('kamera/ü.mp4', 'f1', ['b1'], { modifiedMs: 1_767_225_600_000 }))
  driver.run(put('klein', 'f2', ['b2'], { make: inline }))
  driver.run(put('leer', 'f3', []))
  driver.run(put('groß', 'f4', ['b4', 'b5', 'b6', 'b7', 'b8']))
  driver.run(put('weg', 'f5', ['b9']))
  driver.run(del('weg'))
  driver.run(createUpload('neu\u0000', 'e1'))
  driver.run(putPart('neu\u0000', 'e1', 10_000, 'ba', { checksum }))
  driver.run(createUpload('fertig', 'e2'))
  driver.run(putPart('fertig', 'e2', 1, 'bb', { checksum }))
  driver.run(complete('fertig', 'e2', [[1, 'bb']], { checksum }))
  driver.run(createUpload('aus', 'e3'))
  driver.run(abort('aus', 'e3'))
  driver.run({ kind: 'abandon-blobs', blobIds: ['bc'], nowMs: 5 })
  driver.run({ kind: 'relocate-shard', blobId: 'b1', generation: 1, shardIndex: 0, from: 'a-1', to: 'a-2' })
  const families = new Set([...driver.rows.rows.keys()].map((key) => key.slice(0, 1)))
  assert.deepEqual([...families].sort().join(''), 'abcdegimopru', 'every kind of row is there')

  const kept = golden('catalog', driver.rows)
  const find = { kind: 'find-object', bucketId, key: 'groß', blobsFor: 'all' } as const
  assert.deepEqual(
    (await answerCatalogQuery(kept, find)).version,
    put('groß', 'f4', ['b4', 'b5', 'b6', 'b7', 'b8']).version,
  )
  const upload = { kind: 'find-upload', bucketId, key: 'neu\u0000', uploadId: 'e1' } as const
  assert.deepEqual((await answerCatalogQuery(kept, upload)).parts[0]?.checksum, checksum)
})

test('the rows of versions are byte for byte the golden ones, and those can be read', async () => {
  const driver = openCatalog()
  driver.leaderMs = 1_767_225_600_000
  const modifiedMs = 1_767_225_500_000
  driver.run(put('akte\u0000', 'f1', ['b1'], { modifiedMs }))
  const objectLock = { defaultRetention: { mode: 'GOVERNANCE', days: 30 } } as const
  driver.run({
    kind: 'set-write-rules',
    bucketId,
    rules: { revision: 1, versioning: 'Enabled', objectLock },
  })
  driver.run(put('akte\u0000', 'f2', ['b2'], { make: inline, modifiedMs }))
  driver.run(del('akte\u0000', { nowMs: modifiedMs, markerId: 'd1', ownerId: 'user-2', rulesRevision: 1 }))
  driver.run(put('beweis', 'f3', ['b3', 'b4', 'b5', 'b6', 'b7'], { modifiedMs }))
  driver.run({
    kind: 'amend-version',
    bucketId,
    key: 'beweis',
    versionId: 'f3',
    nowMs: modifiedMs,
    amendId: 'a1',
    change: { kind: 'legal-hold', on: true },
  })
  driver.run(del('weg', { markerId: 'd2' }))
  driver.run({ kind: 'delete-version', bucketId, key: 'weg', versionId: 'd2', nowMs: 9, conditions: {} })
  const upload = createUpload('neu', 'e1')
  const retention = { mode: 'COMPLIANCE', untilMs: 1_800_000_000_000 } as const
  driver.run({ ...upload, upload: { ...upload.upload, retention, tags: { fall: '7' } } })
  const families = new Set([...driver.rows.rows.keys()].map((key) => key.slice(0, 1)))
  assert.deepEqual([...families].sort().join(''), 'abdeinouvwx', 'every kind of row is there')

  const kept = golden('versions', driver.rows)
  const list = { prefix: '', delimiter: '', afterKey: '', afterVersionId: '', limit: 10 }
  const { items } = await answerCatalogQuery(kept, { kind: 'list-versions', bucketId, ...list })
  assert.deepEqual(
    items.map(({ key, versionId, isLatest }) => [key, versionId, isLatest]),
    [
      ['akte\u0000', 'd1', true],
      ['akte\u0000', 'f2', false],
      ['akte\u0000', 'f1', false],
      ['beweis', 'f3', true],
    ],
  )
  const find = {
    kind: 'find-object',
    bucketId,
    key: 'akte\u0000',
    versionId: 'null',
    blobsFor: 'all',
  } as const
  assert.equal((await answerCatalogQuery(kept, find)).blobs.length, 1)
})

test('the rows of the registry are byte for byte the golden ones, and those can be read', async () => {
  const driver = openRegistry()
  driver.run(statement(1, { kind: 'set-node-state', nodeId: 'nw-2', state: 'draining' }, ['nw']))
  driver.run(putUser('user-1', 'AK1'))
  driver.run(reserve('akten', 'b1'))
  driver.run(setState('akten', 'b1', ['creating'], 'active'))
  driver.run(reserve('weg', 'b2'))
  driver.run(setState('weg', 'b2', ['creating'], 'deleting'))
  driver.run({ kind: 'remove-bucket', name: 'weg', bucketId: 'b2', attempt: 1 })
  const families = new Set([...driver.rows.rows.keys()].map((key) => key.slice(0, 1)))
  assert.deepEqual([...families].sort().join(''), 'bckmnstuwx', 'every kind of row is there')

  const kept = golden('registry', driver.rows)
  assert.equal((await answerRegistryQuery(kept, { kind: 'bucket', name: 'akten' })).bucket?.attempt, 1)
  assert.equal((await answerRegistryQuery(kept, { kind: 'map', newerThan: 1 })).map?.epoch, 2)
})

test('a row of a newer format is not guessed at', () => {
  const bytes = encodeRow({ a: 1 })
  assert.deepEqual(decodeRow(bytes), { a: 1 })
  bytes[0] = 2
  assert.throws(() => decodeRow(bytes), /row format/)
})
