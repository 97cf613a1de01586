import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BucketDirectory } from '../../gateway/object/bucket-directory.ts'
import type { BucketRow } from '../../node/core/catalog-rows.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import { decodeRow } from '../../node/core/row-codec.ts'
import { ClusterError } from '../../node/errors.ts'
import { census, put } from '../unit/catalog-fixture.ts'
import { DirectoryWorld } from './catalog-directory.ts'
import { SeededRandom } from './random.ts'

/** SEED repeats one run, RUNS makes more of them. */
const firstSeed = Number(process.env.SEED ?? 1)
const runs = Number(process.env.RUNS ?? (process.env.SEED === undefined ? 60 : 1))

interface Acknowledged {
  readonly groupId: string
  readonly bucketId: string
  readonly key: string
}

class Run {
  readonly world: DirectoryWorld
  readonly random: SeededRandom
  /** Objects whose writing was acknowledged and whose deletion nobody asked for, by version. */
  readonly acknowledged = new Map<string, Acknowledged>()
  readonly counts = { created: 0, removed: 0, put: 0, refused: 0 }
  active = 0
  #nextId = 1

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.world = new DirectoryWorld(this.random)
  }

  /** Does one thing after the other; whatever fails, fails. */
  async actor(steps: number, act: (gateway: BucketDirectory) => Promise<void>): Promise<void> {
    this.active += 1
    const gateway = this.world.gateway()
    for (let step = 0; step < steps; step += 1) {
      await act(gateway).catch((error) => {
        if (!(error instanceof ClusterError)) throw error
        this.counts.refused += 1
      })
    }
    this.active -= 1
  }

  async administer(gateway: BucketDirectory): Promise<void> {
    const bucket = await gateway.find('akten')
    if (bucket === undefined) {
      await gateway.create({ name: 'akten', ownerId: 'user-1' }, this.id())
      this.counts.created += 1
    } else {
      await gateway.remove(bucket, this.id())
      this.counts.removed += 1
    }
  }

  /** Writes an object and mostly deletes it again, so that the bucket is empty now and then. */
  async store(gateway: BucketDirectory): Promise<void> {
    const bucket = await gateway.find('akten')
    if (bucket === undefined) return
    const { bucketId } = bucket
    const [groupId, key, versionId] = [this.random.pick(['g1', 'g2', 'g3']), `key ${this.id()}`, this.id()]
    try {
      await this.world.propose(groupId, { ...put(key, versionId, [this.id()]), bucketId })
    } catch (error) {
      gateway.forget('akten')
      const closed = error instanceof ClusterError && error.code === 'StaleBucket'
      if (closed && this.random.chance(0.3)) await gateway.reopen(bucket, this.id())
      throw error
    }
    this.counts.put += 1
    this.acknowledged.set(versionId, { groupId, bucketId, key })
    if (!this.random.chance(0.9)) return
    // From here on it may be gone, whatever the answer is.
    this.acknowledged.delete(versionId)
    await this.world.propose(groupId, {
      kind: 'delete-object',
      bucketId,
      key,
      nowMs: 1,
      conditions: {},
      versionId,
    })
  }

  id(): string {
    this.#nextId += 1
    return this.#nextId.toString(16).padStart(6, '0')
  }
}

async function runSeed(seed: number): Promise<Run['counts']> {
  const run = new Run(seed)
  const { world } = run
  const actors = [
    ...[1, 2, 3].map(() => run.actor(6, (gateway) => run.administer(gateway))),
    ...[1, 2, 3].map(() => run.actor(12, (gateway) => run.store(gateway))),
  ]
  await world.run(() => run.active === 0)
  await Promise.all(actors)
  for (const group of world.groups.values()) census(group.rows)

  const { bucket } = await answerRegistryQuery(world.registry.rows, { kind: 'bucket', name: 'akten' })
  for (const [versionId, { groupId, bucketId, key }] of run.acknowledged) {
    assert.equal(bucket?.bucketId, bucketId, `version ${versionId} was acknowledged and its bucket is gone`)
    assert.ok(world.group(groupId).rows.get(`o/${bucketId}/${key}`), `version ${versionId} is gone`)
  }
  for (const [groupId, group] of world.groups) {
    for (const [rowKey, value] of group.rows.rows) {
      if (!rowKey.startsWith('b/') || rowKey === `b/${bucket?.bucketId}`) continue
      const { state, objectCount } = decodeRow<BucketRow>(value)
      const created = world.registry.rows.get(`x/${rowKey.slice(2)}`) === undefined
      if (!created)
        assert.deepEqual([state, objectCount], ['closed', 0], `${groupId} has ${rowKey} of a removed bucket`)
    }
  }
  await usableAgain(run)
  return run.counts
}

/** Whatever was left half-done: with the faults over, a gateway brings the bucket back into service. */
async function usableAgain(run: Run): Promise<void> {
  const { world } = run
  world.faulty = false
  let done = false
  const repaired = (async () => {
    const gateway = world.gateway()
    const found = await gateway.find('akten')
    if (found === undefined) await gateway.create({ name: 'akten', ownerId: 'user-1' }, 'last')
    else await gateway.reopen(found, 'last')
    const { bucketId } = (await gateway.find('akten')) ?? { bucketId: '' }
    for (const groupId of world.groups.keys()) {
      await world.propose(groupId, { ...put('last', run.id(), [run.id()]), bucketId })
    }
    done = true
  })()
  repaired.catch(() => {
    done = true
  })
  await world.run(() => done)
  await repaired
}

test('whatever gateways that create, delete and reopen a bucket do to each other, no acknowledged object goes with it', async () => {
  const total = { created: 0, removed: 0, put: 0, refused: 0 }
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const counts = await runSeed(seed).catch((error) => assert.fail(`SEED=${seed}: ${error.stack}`))
    for (const name of ['created', 'removed', 'put', 'refused'] as const) total[name] += counts[name]
  }
  const enough = total.created > 0 && total.removed > 0 && total.put > 0 && total.refused > 0
  assert.ok(enough, `the runs reach everything: ${JSON.stringify(total)}`)
  if (process.env.SIM_TRACE === '1') console.log(JSON.stringify(total))
})
