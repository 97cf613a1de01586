import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quotas, quotaLimits, sumCounts } from '../../gateway/object/quotas.ts'
import type { BucketCounts } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'

const bucket: Bucket = {
  name: 'b',
  bucketId: 'b0',
  ownerId: 'o',
  createdMs: 0,
  poolId: 'default',
  wrappedKey: new Uint8Array(0),
  state: 'active',
  attempt: 1,
  configuration: { quota: { bytesMax: 100 } },
}
const call = { requestId: 'R' }
const holding = (bytes: number): BucketCounts => ({ objects: 0, versions: 0, uploads: 0, bytes })

/** Quotas over counts that a test sets, under a clock that it moves. */
function setUp() {
  const world = { nowMs: 0, bytes: [0, 0] as number[], down: false, asked: 0 }
  const clock = { monotonicMs: () => world.nowMs, wallMs: () => world.nowMs, after: () => () => undefined }
  const quotas = new Quotas(async () => {
    world.asked++
    if (world.down) throw new Error('a group does not answer')
    return world.bytes.map(holding)
  }, clock)
  const admit = (bytes: number) =>
    quotas.admit(bucket, { bytes, entries: 1 }, call).then(
      () => 'admitted',
      (error) => error.code,
    )
  return { world, quotas, admit }
}

test('counts of all groups are summed once, and raised by what is admitted', async () => {
  const { world, admit } = setUp()
  world.bytes = [30, 30]
  assert.equal(await admit(40), 'admitted')
  assert.equal(await admit(1), 'QuotaExceeded')
  assert.equal(world.asked, 1)
  assert.deepEqual(sumCounts([holding(1), holding(2)]), holding(3))
})

test('nothing is refused on old counts, and nothing waits for new ones that would be admitted', async () => {
  const { world, admit } = setUp()
  world.bytes = [90, 0]
  assert.equal(await admit(5), 'admitted')
  world.bytes = [10, 0]
  assert.equal(await admit(50), 'QuotaExceeded')
  world.nowMs += quotaLimits.refusalMs + 1
  assert.equal(await admit(50), 'admitted')
  world.nowMs += quotaLimits.freshMs + 1
  world.down = true
  assert.equal(await admit(1), 'admitted')
})

test('a group that does not answer stops no write', async () => {
  const { world, admit } = setUp()
  world.down = true
  assert.equal(await admit(1000), 'admitted')
  world.down = false
  world.bytes = [100, 0]
  assert.equal(await admit(1), 'QuotaExceeded')
  world.down = true
  world.nowMs += quotaLimits.refusalMs + 1
  assert.equal(await admit(1), 'QuotaExceeded')
})

test('a bucket without a quota is never counted', async () => {
  const { world, quotas } = setUp()
  const { configuration: _, ...free } = bucket
  await quotas.admit(free, { bytes: 1e15, entries: 1 }, call)
  assert.equal(world.asked, 0)
})
