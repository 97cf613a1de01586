import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { catalogLimits, rowKeys } from '../../node/core/catalog-rows.ts'
import type { Notice, NoticeEvent } from '../../node/core/notification.ts'
import { encodeRow } from '../../node/core/row-codec.ts'
import { bucketId, complete, createUpload, del, openCatalog, put, putPart } from './catalog-fixture.ts'
import type { Driver } from './row-fixture.ts'

const told = (name: NoticeEvent['name']): NoticeEvent => ({ name, targets: [{ ruleId: 'r', target: 'arn' }] })

const notice: Notice = {
  bucketName: 'akten',
  ownerId: 'bpol',
  principalId: 'dock-1',
  sourceIp: '127.0.0.1',
  requestId: 'R1',
  done: told('ObjectCreated:Put'),
  removed: told('ObjectRemoved:Delete'),
  marked: told('ObjectRemoved:DeleteMarkerCreated'),
}

function events(driver: Driver, after = '', limit = 100) {
  return answerCatalogQuery(driver.rows, { kind: 'list-events', after, limit })
}

async function names(driver: Driver): Promise<string[]> {
  return (await events(driver)).events.map((event) => `${event.name} ${event.key} ${event.versionId ?? '-'}`)
}

test('a write with a notice leaves its event, with what clients see of the version', async () => {
  const driver = openCatalog()
  driver.run({ ...put('k', '01', ['aa']), notice })
  const [event] = (await events(driver)).events
  assert.deepEqual(event, {
    eventId: '00000000000002',
    bucketId,
    ownerId: 'bpol',
    name: 'ObjectCreated:Put',
    targets: [{ ruleId: 'r', target: 'arn' }],
    key: 'k',
    bytes: 100,
    etag: 'etag-01',
    timeMs: 1000,
    notice: { bucketName: 'akten', principalId: 'dock-1', sourceIp: '127.0.0.1', requestId: 'R1' },
  })
})

test('what a delete turns out to do decides which event it is', async () => {
  const driver = openCatalog()
  driver.run({ ...del('nichts'), notice })
  driver.run(put('k', '01', []))
  driver.run({ ...del('k'), notice })
  assert.deepEqual(await names(driver), ['ObjectRemoved:Delete k -'])
  driver.run({ kind: 'set-write-rules', bucketId, rules: { revision: 1, versioning: 'Enabled' } })
  driver.run({ ...put('k', '02', []), notice })
  driver.run({ ...del('k'), markerId: '0a', ownerId: 'bpol', notice })
  const remove = { kind: 'delete-version', bucketId, key: 'k', versionId: '02', nowMs: 6000, conditions: {} }
  driver.run({ ...remove, notice })
  driver.run({ ...remove, notice })
  assert.deepEqual((await names(driver)).slice(1), [
    'ObjectCreated:Put k 02',
    'ObjectRemoved:DeleteMarkerCreated k 0a',
    'ObjectRemoved:Delete k 02',
  ])
})

test('a completed upload is an event; a write that is refused, or without a notice, is none', async () => {
  const driver = openCatalog()
  driver.run(createUpload('k', 'e1'))
  driver.run(putPart('k', 'e1', 1, 'aa'))
  driver.run({
    ...complete('k', 'e1', [[1, 'aa']]),
    notice: { ...notice, done: told('ObjectCreated:CompleteMultipartUpload') },
  })
  driver.refused({ ...put('k', '02', []), conditions: { ifNoneMatch: '*' }, notice })
  driver.run(put('k', '03', []))
  const { done: _, ...nobodyListens } = notice
  driver.run({ ...put('k', '04', []), notice: nobodyListens })
  assert.deepEqual(await names(driver), ['ObjectCreated:CompleteMultipartUpload k -'])
})

test('events are listed in pages and forgotten one by one, in any order and repeatedly', async () => {
  const driver = openCatalog()
  for (let n = 1; n <= 5; n++) driver.run({ ...put(`k${n}`, `0${n}`, []), notice })
  const first = await events(driver, '', 2)
  assert.deepEqual(
    first.events.map(({ key }) => key),
    ['k1', 'k2'],
  )
  const rest = await events(driver, first.events[1]?.eventId, 10)
  assert.deepEqual(
    rest.events.map(({ key }) => key),
    ['k3', 'k4', 'k5'],
  )
  const eventIds = [rest.events[1], first.events[0]].map((event) => event?.eventId ?? '')
  assert.deepEqual(driver.run({ kind: 'forget-events', eventIds }), { forgotten: 2 })
  assert.deepEqual(driver.run({ kind: 'forget-events', eventIds }), { forgotten: 0 })
  assert.deepEqual(
    (await events(driver)).events.map(({ key }) => key),
    ['k2', 'k3', 'k5'],
  )
})

test('when there is no room an event is dropped and counted, and the write goes through', async () => {
  const driver = openCatalog()
  const tally = { kept: catalogLimits.eventsMax, dropped: 3 }
  driver.rows.rows.set(rowKeys.eventTally, encodeRow(tally))
  assert.deepEqual(driver.run({ ...put('k', '01', []), notice }), {
    versionId: '01',
    modifiedMs: 1000,
    replaced: false,
  })
  assert.deepEqual(await events(driver), { events: [], dropped: 4 })
})
