import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { ShardStore } from '../../node/protocol/shard-store.ts'
import { GroupCollector } from '../../node/services/gc-worker.ts'
import { LocalCollector } from '../../node/services/gc-worker-local.ts'
import { RepairWorker } from '../../node/services/repair-worker.ts'
import type { CatalogAccess } from '../../node/services/shard-group.ts'
import { GroupGauges } from '../../node/services/shard-metrics.ts'
import { SimCatalog } from './shard-catalog.ts'
import { SimCluster, somePool } from './shard-cluster.ts'
import { seeded } from './shard-disk.ts'

/** More of them for a soak: SIM_SEEDS=200. */
const seeds = Number(process.env.SIM_SEEDS ?? 6)

/**
 * Writers, deleters, two leaders at once that repair and collect, and the collectors of all nodes, without any grace,
 * interleaved at random, with lost requests and answers, nodes that go down and crash. Looked at after every single
 * command and deletion: a holder that a row names has the shard, always.
 */
class Adversary {
  readonly random: () => number
  readonly catalog = new SimCatalog()
  readonly cluster: SimCluster
  readonly names: readonly string[]
  readonly violations: string[] = []
  counts = { committed: 0, refused: 0, removed: 0, moved: 0 }
  #ids = 0
  #faults = 0.02

  constructor(cluster: SimCluster, seed: number) {
    this.cluster = cluster
    this.random = seeded(seed)
    this.names = [...cluster.nodes.keys()]
    for (const nodeId of this.names) this.#watch(nodeId)
    this.catalog.onRequest = (_, kind) => this.#network(kind)
    this.catalog.onApplied = (command) => this.#applied(command)
    cluster.onCall = (_, message) => this.#network(message)
  }

  calm(): void {
    this.#faults = 0
    this.cluster.down.clear()
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] ?? assert.fail('nothing to pick from')
  }

  id(): string {
    return (++this.#ids).toString(16).padStart(16, '0')
  }

  /** Waits for a random number of turns; now and then for long, as a paused process does. */
  async pause(): Promise<void> {
    const turns = this.random() < 0.03 ? 300 : this.random() * 12
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
  }

  async #network(what: string): Promise<void> {
    await this.pause()
    // Between a copy and its row is where it hurts.
    if (what === 'relocate-shard' && this.random() < 0.2) for (let i = 0; i < 8; i++) await this.pause()
    if (what === 'relocate-shard' && this.random() < 0.1)
      for (let i = 0; i < 800; i++) await new Promise((resolve) => setImmediate(resolve))
    if (this.random() < this.#faults) throw new ClusterError('Timeout', what)
  }

  /** Which shards a node really has, kept beside the store: set when sealed, unset when removed. */
  readonly #held = new Set<string>()

  #watch(nodeId: string): void {
    const { store } = this.cluster.node(nodeId)
    const { seal, remove } = { seal: store.seal.bind(store), remove: store.remove.bind(store) }
    const sealed: ShardStore['seal'] = async (header) => {
      const shard = await seal(header)
      this.#held.add(`${nodeId}/${header.blobId}/${header.shardIndex}`)
      return shard
    }
    const removed: ShardStore['remove'] = async (key, onlySealedMs) => {
      const gone = await remove(key, onlySealedMs)
      if (!gone) return false
      this.counts.removed++
      const { blobId, shardIndex } = key
      this.#held.delete(`${nodeId}/${blobId}/${shardIndex}`)
      if (this.catalog.holders(blobId)[shardIndex] === nodeId)
        this.violations.push(`${nodeId} removed shard ${shardIndex} of ${blobId}, which is referred to`)
      return gone
    }
    Object.assign(store, { seal: sealed, remove: removed })
  }

  #applied(command: CatalogCommand): void {
    if (command.kind === 'relocate-shard' && command.step === undefined) this.counts.moved++
    const blobIds =
      command.kind === 'put-version'
        ? command.blobs.map(({ blobId }) => blobId)
        : command.kind === 'relocate-shard'
          ? [command.blobId]
          : []
    for (const blobId of blobIds)
      for (const [index, holder] of this.catalog.holders(blobId).entries())
        if (!this.#held.has(`${holder}/${blobId}/${index}`))
          this.violations.push(`${command.kind} names ${holder}, which lacks shard ${index} of ${blobId}`)
  }

  async write(key = this.pick(['k1', 'k2', 'k3', 'k4', 'k5', 'k6'])): Promise<void> {
    const blobId = this.id()
    // Doubled up more often than not: that gives the leaders something to move.
    const few = this.names.filter(() => this.random() < 0.7)
    const holders = Array.from({ length: 6 }, () => this.pick(few.length >= 3 ? few : this.names))
    const blob = await this.cluster.writeBlob(blobId, 300, holders)
    await this.pause()
    await this.catalog.commit(key, blob).then(
      () => {
        this.counts.committed++
      },
      (error: unknown) => {
        assert.ok(error instanceof ClusterError, String(error))
        this.counts.refused++
      },
    )
    if (this.random() < 0.1) await this.catalog.delete(key, this.cluster.clock.wallMs()).catch(tolerate)
  }

  async flap(): Promise<void> {
    const nodeId = this.pick(this.names)
    this.cluster.down.add(nodeId)
    await this.pause()
    await this.pause()
    this.cluster.down.delete(nodeId)
  }
}

function tolerate(error: unknown): void {
  assert.ok(error instanceof ClusterError, String(error))
}

interface Run {
  readonly seed: number
  readonly rounds: number
  /** What nodes are told by the catalog; the identity unless a test breaks it. */
  readonly access?: (access: CatalogAccess) => CatalogAccess
}

async function run({ seed, rounds, access = (same) => same }: Run): Promise<Adversary> {
  const cluster = await SimCluster.start()
  const adversary = new Adversary(cluster, seed)
  const { clock, metrics } = cluster
  const { catalog, names } = adversary
  if (seed % 2 === 0) catalog.enableVersioning()
  const parts = { clock, metrics, map: () => cluster.map, isUp: cluster.isUp }
  const leaders = ['a-1', 'b-1'].map((nodeId) => {
    const caller = cluster.callerOf(nodeId)
    const gauges = new GroupGauges(metrics)
    const random = { float: adversary.random, hex: () => adversary.id() }
    const config = { repairDelayMs: 0, censusIntervalMs: 1, bytesPerSecond: 1e12 }
    const poolOf = () => Promise.resolve(somePool)
    const group = catalog.group()
    return {
      repair: new RepairWorker({ ...parts, group, caller, gauges, random, poolOf, config }),
      collect: new GroupCollector({ ...parts, group, caller, gauges, garbageDelayMs: 0 }),
    }
  })
  const collectors = names.map((nodeId) => {
    const { store } = cluster.node(nodeId)
    const caller = cluster.callerOf(nodeId)
    const delays = { graceMs: 0, movedDelayMs: 0 }
    return new LocalCollector({
      nodeId,
      store,
      catalog: access(catalog.access),
      caller,
      clock,
      metrics,
      ...delays,
    })
  })
  const repeat = async (times: number, work: () => Promise<unknown>): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await adversary.pause()
      await work().catch(tolerate)
      clock.advance(10)
    }
  }
  const repairRound = async (worker: RepairWorker): Promise<void> => {
    // Liveness as it is now, not as it was: whoever is down at this moment is taken for gone.
    worker.tick()
    await worker.census()
    await worker.repairAll()
  }
  // Objects to move about, from before anybody collects.
  for (let i = 0; i < 8; i++) await adversary.write(`old${i}`)
  let busy = true
  const collectAlways = async (collector: LocalCollector): Promise<void> => {
    while (busy) await repeat(1, () => collector.round())
  }
  await Promise.all([
    ...collectors.map(collectAlways),
    Promise.all([
      ...Array.from({ length: 2 }, () => repeat(rounds, () => adversary.write())),
      ...leaders.map(({ repair }) => repeat(rounds, () => repairRound(repair))),
      ...leaders.map(({ collect }) => repeat(rounds, () => collect.round())),
      repeat(rounds * 3, () => adversary.flap()),
    ]).finally(() => {
      busy = false
    }),
  ])
  adversary.calm()
  for (let i = 0; i < 3; i++) {
    clock.advance(60_000)
    for (const { repair, collect } of leaders.slice(0, 1)) {
      await repairRound(repair)
      await collect.round()
    }
    for (const collector of collectors) await collector.round()
  }
  return adversary
}

describe('garbage collection against an adversary', () => {
  it('never deletes a shard that a row refers to, and in the end leaves exactly those', async () => {
    const total = { committed: 0, refused: 0, removed: 0, moved: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const adversary = await run({ seed, rounds: 6 })
      assert.deepEqual(adversary.violations, [], `seed ${seed}`)
      const wanted = new Set<string>()
      for (const { blob, claims } of await adversary.catalog.blobs()) {
        assert.equal(claims, undefined, `seed ${seed}: a claim is left`)
        for (const [index, holder] of blob.holders.entries()) {
          await adversary.cluster.checkShard(holder, blob, index)
          wanted.add(`${holder}/${blob.blobId}/${index}`)
        }
      }
      const found: string[] = []
      for (const [nodeId, { store }] of adversary.cluster.nodes)
        for (const { header } of (await store.list('', 1_000)).shards)
          found.push(`${nodeId}/${header.blobId}/${header.shardIndex}`)
      assert.deepEqual(found.sort(), [...wanted].sort(), `seed ${seed}: leftovers or gaps`)
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += adversary.counts[name]
    }
    // The adversary did what it is for.
    for (const [name, count] of Object.entries(total)) assert.ok(count > 20, `${name}: ${count}`)
  })

  it('is caught when nodes are not told of claims (the test can fail)', async () => {
    const blind = (access: CatalogAccess): CatalogAccess => ({
      ...access,
      findBlobs: async (groupId, blobIds) => {
        return (await access.findBlobs(groupId, blobIds)).map(({ claims, ...answer }) => answer)
      },
    })
    let caught = 0
    for (let seed = 1; seed <= 12 && caught === 0; seed++) {
      const adversary = await run({ seed, rounds: 6, access: blind })
      caught += adversary.violations.length
    }
    assert.ok(caught > 0)
  })

  it('is caught when a fence is claimed and not made (the test can fail)', async () => {
    const careless = (access: CatalogAccess): CatalogAccess => ({
      ...access,
      abandonBlobs: () => Promise.resolve([]),
    })
    let caught = 0
    for (let seed = 1; seed <= 12 && caught === 0; seed++) {
      const adversary = await run({ seed, rounds: 6, access: careless })
      caught += adversary.violations.length
    }
    assert.ok(caught > 0)
  })
})
