/** The lifecycle worker over the real catalog state machine, with a clock that the test turns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleRule, VersioningState } from '../../node/core/bucket-configuration.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { realDayMs } from '../../node/core/lifecycle.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { LifecycleWorker, lifecycleLimits } from '../../node/services/lifecycle-worker.ts'
import { catalogGroupOf } from '../../node/services/shard-group.ts'
import { MetricCounts } from '../../node/services/shard-metrics.ts'
import { bucketId, createUpload, del, openCatalog, put } from '../unit/catalog-fixture.ts'
import { Seeded } from '../unit/row-fixture.ts'

const startMs = Date.UTC(2026, 0, 1)

interface World {
  readonly rules: readonly LifecycleRule[]
  readonly versioning?: VersioningState
}

function open({ rules, versioning = 'Off' }: World) {
  const driver = openCatalog()
  if (versioning !== 'Off') {
    driver.run({ kind: 'set-write-rules', bucketId, rules: { revision: 1, versioning, objectLock: {} } })
  }
  const bucket: Bucket = {
    name: 'akten',
    bucketId,
    ownerId: 'bpol',
    createdMs: startMs,
    poolId: 'default',
    wrappedKey: new Uint8Array(0),
    state: 'active',
    attempt: 1,
    configuration: { lifecycle: rules, eventBridge: true },
  }
  const state = { nowMs: startMs, leader: true, proposed: [] as CatalogCommand[] }
  const seeded = new Seeded(1)
  const random = {
    float: () => 0,
    hex: (count: number) =>
      seeded
        .below(1e9)
        .toString(16)
        .padStart(2 * count, '0'),
  }
  const replica = {
    groupId: 'catalog-1',
    get: (key: string) => driver.rows.get(key),
    scan: (range: Parameters<typeof driver.rows.scan>[0]) => driver.rows.scan(range),
    status: () => ({ role: state.leader ? 'leader' : 'follower' }),
    propose: async (command: unknown) => {
      if (!state.leader) throw new ClusterError('NotLeader', 'deposed')
      state.proposed.push(command as CatalogCommand)
      return driver.apply(command).reply
    },
  }
  const metrics = new MetricCounts()
  const worker = new LifecycleWorker({
    group: catalogGroupOf(replica, random),
    clock: { monotonicMs: () => 0, wallMs: () => state.nowMs, after: () => () => undefined },
    random,
    metrics,
    buckets: async () => [bucket],
    dayMs: realDayMs,
  })
  const versions = async () => {
    const everything = { prefix: '', delimiter: '', afterKey: '', afterVersionId: '', limit: 10_000 }
    const page = await answerCatalogQuery(driver.rows, { kind: 'list-versions', bucketId, ...everything })
    return page.items.map((item) => `${item.key} ${item.kind}${item.isLatest ? ' current' : ''}`)
  }
  const day = (days: number) => {
    state.nowMs = startMs + days * realDayMs
  }
  return { driver, worker, metrics, state, versions, day }
}

const rule = (extra: Partial<LifecycleRule>): LifecycleRule => ({
  id: 'r',
  enabled: true,
  filter: {},
  ...extra,
})

test('objects go when their days are over, those of other prefixes stay', async () => {
  const { driver, worker, metrics, versions, day } = open({
    rules: [rule({ filter: { prefix: 'alt/' }, expiration: { days: 30 } })],
  })
  driver.run(put('alt/a', '01', ['aa'], { modifiedMs: startMs }))
  driver.run(put('neu/a', '02', ['bb'], { modifiedMs: startMs }))
  day(29.9)
  await worker.round()
  assert.equal((await versions()).length, 2)
  day(30)
  await worker.round()
  assert.deepEqual(await versions(), ['neu/a version current'])
  assert.equal(metrics.values.get('bundescloud_lifecycle_removed_total{current}'), 1)
  const { events } = await answerCatalogQuery(driver.rows, { kind: 'list-events', after: '', limit: 10 })
  assert.deepEqual(
    events.map(({ name, key }) => `${name} ${key}`),
    ['LifecycleExpiration:Delete alt/a'],
  )
})

test('in a versioned bucket expiry hides, and noncurrent rules remove what is hidden, then the marker', async () => {
  const { driver, worker, versions, day } = open({
    versioning: 'Enabled',
    rules: [
      rule({ id: 'hide', expiration: { days: 10 } }),
      rule({ id: 'remove', noncurrentExpiration: { days: 5 } }),
      rule({ id: 'sweep', expiration: { expiredObjectDeleteMarker: true } }),
    ],
  })
  driver.run(put('k', '01', ['aa'], { modifiedMs: startMs }))
  driver.run(put('k', '02', ['bb'], { modifiedMs: startMs + 1 }))
  day(6)
  await worker.round()
  assert.deepEqual(await versions(), ['k version current'])
  day(11)
  await worker.round()
  assert.deepEqual(await versions(), ['k marker current', 'k version'])
  day(17)
  await worker.round()
  assert.deepEqual(await versions(), ['k marker current'])
  await worker.round()
  assert.deepEqual(await versions(), [])
})

test('the newest noncurrent versions that a rule keeps are kept', async () => {
  const { driver, worker, versions, day } = open({
    versioning: 'Enabled',
    rules: [rule({ noncurrentExpiration: { days: 1, newerVersions: 2 } })],
  })
  for (let n = 1; n <= 6; n++) driver.run(put('k', `0${n}`, [`b${n}`], { modifiedMs: startMs + n }))
  day(5)
  await worker.round()
  assert.equal((await versions()).length, 3)
  await worker.round()
  assert.equal((await versions()).length, 3)
})

test('versions under retention or legal hold stay, and go when it has ended', async () => {
  const { driver, worker, metrics, versions, day } = open({
    versioning: 'Enabled',
    rules: [rule({ noncurrentExpiration: { days: 1 } })],
  })
  const held = put('k', '01', ['aa'], { modifiedMs: startMs })
  const retention = { mode: 'COMPLIANCE', untilMs: startMs + 20 * realDayMs } as const
  driver.run({ ...held, version: { ...held.version, retention } })
  const hold = put('k', '02', ['bb'], { modifiedMs: startMs + 1 })
  driver.run({ ...hold, version: { ...hold.version, legalHold: true } })
  driver.run(put('k', '03', ['cc'], { modifiedMs: startMs + 2 }))
  day(10)
  driver.leaderMs = startMs + 10 * realDayMs
  await worker.round()
  assert.equal((await versions()).length, 3)
  assert.equal(metrics.values.get('bundescloud_lifecycle_protected_total'), 2)
  day(21)
  driver.leaderMs = startMs + 21 * realDayMs
  await worker.round()
  assert.deepEqual(await versions(), ['k version current', 'k version'])
})

test('a version that was written while its predecessor was judged is not touched', async () => {
  const { driver, worker, state, versions, day } = open({ rules: [rule({ expiration: { days: 1 } })] })
  driver.run(put('k', '01', ['aa'], { modifiedMs: startMs }))
  day(5)
  await worker.round()
  const [command] = state.proposed
  assert.deepEqual(await versions(), [])
  driver.run(put('k', '02', ['bb'], { modifiedMs: startMs + 5 * realDayMs }))
  assert.equal(driver.refused(command).code, 'ConditionalConflict')
  assert.deepEqual(await versions(), ['k version current'])
})

test('uploads that were left behind are aborted', async () => {
  const { driver, worker, metrics, day } = open({ rules: [rule({ abortUploadsAfterDays: 7 })] })
  for (let n = 0; n < 3; n++) driver.run(createUpload('k', `e${n}`))
  day(8)
  await worker.round()
  assert.equal(metrics.values.get('bundescloud_lifecycle_removed_total{upload}'), 3)
  const { uploads } = await answerUploads(driver)
  assert.equal(uploads, 0)
})

async function answerUploads(driver: ReturnType<typeof openCatalog>) {
  const page = await answerCatalogQuery(driver.rows, {
    kind: 'list-uploads',
    bucketId,
    prefix: '',
    delimiter: '',
    afterKey: '',
    afterUploadId: '',
    limit: 100,
  })
  return { uploads: page.items.length }
}

test('a walk over many pages judges every version once, wherever the pages are cut', async () => {
  const seed = Math.floor(Math.random() * 1e9)
  const seeded = new Seeded(seed)
  const { driver, worker, versions, day } = open({
    versioning: 'Enabled',
    rules: [rule({ noncurrentExpiration: { days: 1, newerVersions: 3 } })],
  })
  const counts = new Map<string, number>()
  let id = 1
  while ([...counts.values()].reduce((a, b) => a + b, 0) < 3 * lifecycleLimits.pageEntries) {
    const key = `k${seeded.below(40)}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    driver.run(put(key, (id++).toString(16).padStart(4, '0'), [], { modifiedMs: startMs + id }))
  }
  day(5)
  await worker.round()
  const left = Map.groupBy(await versions(), (line) => line.split(' ')[0] ?? '')
  for (const [key, count] of counts) {
    assert.equal(left.get(key)?.length, Math.min(count, 4), `${key} of ${count}, seed ${seed}`)
  }
})

test('a replica that does not lead removes nothing, and one that is deposed ends its round', async () => {
  const { driver, worker, state, versions, day } = open({ rules: [rule({ expiration: { days: 1 } })] })
  driver.run(put('k', '01', ['aa'], { modifiedMs: startMs }))
  day(5)
  state.leader = false
  await worker.round()
  assert.deepEqual(state.proposed, [])
  assert.deepEqual(await versions(), ['k version current'])
  driver.run(del('k'))
})
