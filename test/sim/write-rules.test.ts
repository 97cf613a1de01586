/**
 * Versioning is turned on while gateways write that do not know it yet, die half-way, and whose commands arrive late
 * and twice: from the moment on at which it is acknowledged, no version is lost to an overwrite or a deletion.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BucketCalls } from '../../gateway/object/bucket-calls.ts'
import { BucketDirectory } from '../../gateway/object/bucket-directory.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { ObjectRow } from '../../node/core/catalog-rows.ts'
import { decodeRow } from '../../node/core/row-codec.ts'
import { groupOf } from '../../node/core/slots.ts'
import { ClusterError } from '../../node/errors.ts'
import { census, del, put } from '../unit/catalog-fixture.ts'
import { DirectoryWorld } from './catalog-directory.ts'
import { SeededRandom } from './random.ts'

/** SEED repeats one run, RUNS makes more of them. */
const firstSeed = Number(process.env.SEED ?? 1)
const runs = Number(process.env.RUNS ?? (process.env.SEED === undefined ? 30 : 1))
const keys = ['a', 'b', 'c', 'd', 'e']

class Run {
  readonly random: SeededRandom
  readonly world: DirectoryWorld
  /** Versions that may not be lost any more, with their keys. */
  readonly kept = new Map<string, string>()
  readonly counts = { written: 0, kept: 0, deleted: 0, failed: 0 }
  acknowledged = false
  active = 0
  #nextId = 1

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.world = new DirectoryWorld(this.random)
  }

  async actor(steps: number, act: (gateway: Gateway) => Promise<void>): Promise<void> {
    this.active += 1
    const gateway = new Gateway(this)
    try {
      for (let step = 0; step < steps; step += 1) {
        await act(gateway).catch((error) => {
          if (!(error instanceof ClusterError)) throw error
          this.counts.failed += 1
        })
      }
    } finally {
      // Also after an assertion: otherwise the world would wait for ever.
      this.active -= 1
    }
  }

  /** From now on everything that is there stays. */
  acknowledge(): void {
    this.acknowledged = true
    for (const group of this.world.groups.values()) {
      for (const [rowKey, value] of group.rows.rows) {
        if (!rowKey.startsWith('o/') && !rowKey.startsWith('v/')) continue
        const row = decodeRow<Partial<ObjectRow>>(value)
        if (row.version !== undefined) this.kept.set(row.version.versionId, row.version.key)
      }
    }
  }

  id(): string {
    this.#nextId += 1
    return this.#nextId.toString(16).padStart(6, '0')
  }
}

class Gateway {
  readonly #run: Run
  readonly #directory: BucketDirectory
  readonly #calls: BucketCalls

  constructor(run: Run) {
    const cluster = run.world.cluster()
    this.#run = run
    this.#directory = new BucketDirectory(cluster, {
      wrap: async (secret) => secret,
      unwrap: async (envelope) => Buffer.from(envelope),
    })
    this.#calls = new BucketCalls(cluster, this.#directory)
  }

  async create(): Promise<void> {
    await this.#directory.create({ name: 'akten', ownerId: 'user-1' }, this.#run.id())
  }

  async enable(): Promise<void> {
    const bucket = await this.#bucket()
    await this.#directory.setWriteRules(bucket, { versioning: 'Enabled' }, this.#run.id())
    this.#run.acknowledge()
  }

  /** Writes or deletes an object with what this gateway knows of the bucket, which may be old. */
  async write(): Promise<void> {
    const run = this.#run
    const bucket = await this.#bucket()
    const { bucketId, writeRules } = bucket
    const key = run.random.pick(keys)
    const at = { bucket, key }
    const context = { requestId: run.id() }
    const must = run.acknowledged || (writeRules?.revision ?? 0) > 0
    if (run.random.chance(0.3)) {
      // As the store: where versioning is off to its knowledge, only what it saw goes.
      const found = await this.#calls.query(at, context, {
        kind: 'find-object',
        bucketId,
        key,
        blobsFor: 'none',
      })
      const named =
        found.versioning === undefined && found.version !== undefined
          ? { versionId: found.version.versionId }
          : {}
      if (found.versioning === undefined && found.version === undefined) return
      const command = { ...del(key, { markerId: run.id() }), bucketId, ...named }
      const { marker } = await this.#calls.propose(at, context, command)
      if (must) assert.ok(marker !== undefined, 'a deletion made no marker')
      run.counts.deleted += 1
      return
    }
    const versionId = run.id()
    const command = { ...put(key, versionId, [run.id()]), bucketId }
    const reply = await this.#calls.propose(at, context, command)
    if (must) assert.equal(reply.versioning, 'Enabled')
    run.counts.written += 1
    if (reply.versioning === 'Enabled') run.kept.set(versionId, key)
  }

  async #bucket() {
    return (await this.#directory.find('akten')) ?? assert.fail('the bucket is there')
  }
}

async function runSeed(seed: number): Promise<Run['counts']> {
  const run = new Run(seed)
  const { world } = run
  world.faulty = false
  const created = run.actor(1, (gateway) => gateway.create())
  await world.run(() => run.active === 0)
  await created
  world.faulty = true
  const actors = [
    ...[1, 2, 3].map(() => run.actor(20, (gateway) => gateway.write())),
    ...[1, 2].map(() => run.actor(2, (gateway) => gateway.enable())),
    // Gateways that begin later know the newest rules, whether groups have them or not.
    run.actor(15, async () => new Gateway(run).write()),
  ]
  const finished = Promise.all(actors)
  finished.catch(() => undefined)
  await world.run(() => run.active === 0)
  await finished
  const map = world.cluster().map()
  for (const [versionId, key] of run.kept) {
    const { bucketId } = await bucketOf(world)
    const { rows } = world.group(groupOf(map, { bucketId, key }))
    const query = { kind: 'find-object', bucketId, key, versionId, blobsFor: 'all' } as const
    const { version, blobs } = await answerCatalogQuery(rows, query)
    assert.ok(version !== undefined && blobs.length === 1, `version ${versionId} of ${key} is lost`)
  }
  for (const group of world.groups.values()) census(group.rows)
  run.counts.kept = run.kept.size
  return run.counts
}

async function bucketOf(world: DirectoryWorld) {
  world.faulty = false
  const found = world.gateway().find('akten')
  let done = false
  found.finally(() => {
    done = true
  })
  await world.run(() => done)
  return (await found) ?? assert.fail('the bucket is there')
}

test('when versioning is acknowledged, no gateway with an old cache and no late command loses a version any more', async () => {
  const total = { written: 0, kept: 0, deleted: 0, failed: 0 }
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const counts = await runSeed(seed).catch((error) => assert.fail(`SEED=${seed}: ${error.stack}`))
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += counts[name]
  }
  const { written, kept, deleted, failed } = total
  assert.ok(written > 10 * runs && kept > 5 * runs && deleted > runs && failed > runs, JSON.stringify(total))
})
