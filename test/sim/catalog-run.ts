/**
 * A catalog group on three replicas whose machines lose power, are cut off and lose messages, and clients that repeat
 * what was not answered. Real host, codec and clock, disks in memory: the seed decides what happens, not when.
 */
import assert from 'node:assert/strict'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogAnswers, CatalogCommand, CatalogQuery } from '../../node/core/catalog-types.ts'
import type { Group } from '../../node/services/replica-group.ts'
import { bucketId, census } from '../unit/catalog-fixture.ts'
import { MemoryRows } from '../unit/row-fixture.ts'
import { isLinearizable, type Model, type Operation } from './linearizability.ts'
import { SeededRandom } from './random.ts'
import { ReplicaCluster, until, voters } from './replica-cluster.ts'
import { SimStore } from './sim-store.ts'

const nodeIds = ['n1', 'n2', 'n3']

type Recorded<I, O> = { -readonly [K in keyof Operation<I, O>]: Operation<I, O>[K] } & { key: string }

/** One run: the cluster, its misfortunes, and the history of what clients did to each key. */
export class CatalogRun<I extends { readonly op: string }, O> {
  readonly seed: number
  readonly random: SeededRandom
  readonly cluster: ReplicaCluster
  readonly history: Recorded<I, O>[] = []
  over = false
  #ended = false
  #nextId = 1

  constructor(seed: number) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    this.cluster = new ReplicaCluster({ members: voters(...nodeIds), seed })
  }

  /**
   * Lets clients work through faults for so long, repairs everything, and checks that all replicas have the same sound
   * rows and that the history of each key is linearizable.
   */
  async through(test: {
    faultsMs: number
    clients: readonly (() => Promise<void>)[]
    begin: readonly CatalogCommand[]
    model: Model<unknown, I, O>
    isRead: (input: I) => boolean
    /** Looks at the repaired cluster, too. */
    atEnd?: () => Promise<void>
  }): Promise<void> {
    let nemesis = Promise.resolve()
    try {
      for (const nodeId of nodeIds) await this.cluster.start(nodeId, new SimStore(), catalog)
      await this.propose({ kind: 'open-bucket', bucketId, attempt: 1 })
      for (const command of test.begin) await this.propose(command)
      nemesis = this.#nemesis()
      const finished = Promise.all([...test.clients.map((client) => this.#untilOver(client)), nemesis])
      await Promise.race([pause(test.faultsMs), finished, this.#failure()])
      this.over = true
      await Promise.race([finished, this.#failure()])
      await this.propose({ kind: 'forget-garbage', blobIds: [] })
      await test.atEnd?.()
      await this.#compareReplicas()
      this.#judge(test.model, test.isRead)
      assert.deepEqual(this.cluster.failures, [])
    } finally {
      this.over = true
      this.#ended = true
      // It may be about to start a replica again.
      await nemesis.catch(() => undefined)
      await this.cluster.close()
    }
  }

  /** As the gateway's router: the same request id until an answer comes or the patience ends; then nobody knows. */
  propose(command: CatalogCommand): Promise<unknown> {
    const requestId = this.random.hex(16)
    return this.#patiently((group) => group.propose(command, { requestId, timeoutMs: 300 }))
  }

  /** A linearizable read. */
  query<K extends CatalogQuery['kind']>(
    query: Extract<CatalogQuery, { kind: K }>,
  ): Promise<CatalogAnswers[K]> {
    return this.#patiently(async (group) => {
      await group.readBarrier(300)
      return answerCatalogQuery<K>(group, query)
    })
  }

  /** Puts an operation into the history; its outcome is unknown when `run` throws anything but an assertion. */
  async record(key: string, input: I, run: () => Promise<O>): Promise<void> {
    const operation: Recorded<I, O> = {
      key,
      input,
      output: undefined,
      invokedAt: performance.now(),
      returnedAt: Infinity,
    }
    this.history.push(operation)
    try {
      operation.output = await run()
      operation.returnedAt = performance.now()
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
    }
  }

  id(prefix: string): string {
    this.#nextId += 1
    return prefix + this.#nextId.toString(16).padStart(6, '0')
  }

  async #untilOver(client: () => Promise<void>): Promise<void> {
    while (!this.over) await client()
  }

  async #patiently<T>(attempt: (group: Group) => Promise<T>): Promise<T> {
    // The impatient give up in the middle: whether their command takes effect stays open.
    const deadline = performance.now() + (this.over ? 10_000 : this.random.pick([50, 3_000]))
    for (;;) {
      try {
        return await attempt(await this.cluster.leader())
      } catch (error) {
        if (performance.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  /** Rejects when a replica stops itself: nobody answers then, and the clients would wait for ever. */
  async #failure(): Promise<never> {
    for (;;) {
      if (this.#ended) return new Promise(() => undefined)
      assert.deepEqual(this.cluster.failures, [])
      await pause(50)
    }
  }

  /** One fault at a time, each long enough for an election, so that the group goes on in between. */
  async #nemesis(): Promise<void> {
    while (!this.over) {
      const leader = await this.cluster.leader()
      const leading = this.cluster.nodes.find((nodeId) => this.cluster.group(nodeId) === leader)
      const nodeId = this.random.chance(0.6) && leading !== undefined ? leading : this.random.pick(nodeIds)
      const fault = this.random.below(3)
      if (fault === 0) await this.#powerLoss([nodeId])
      else if (fault === 1) await this.#powerLoss(nodeIds)
      else await this.#cutOff(nodeId)
    }
  }

  async #powerLoss(lost: readonly string[]): Promise<void> {
    const disks = lost.map((nodeId) => [nodeId, this.cluster.stop(nodeId)] as const)
    await pause(this.random.between(0, 400))
    for (const [nodeId, disk] of disks) {
      assert.ok(disk instanceof SimStore)
      await this.cluster.start(
        nodeId,
        disk.crash((pending) => this.random.below(pending + 1)),
        catalog,
      )
    }
    await pause(this.random.between(100, 400))
  }

  async #cutOff(nodeId: string): Promise<void> {
    this.cluster.loss = 0.05
    this.cluster.isolate(nodeId, true)
    await pause(this.random.between(100, 700))
    this.cluster.isolate(nodeId, false)
    this.cluster.loss = 0
    await pause(this.random.between(50, 200))
  }

  async #compareReplicas(): Promise<void> {
    const { cluster } = this
    const indexOf = (nodeId: string) => cluster.group(nodeId).status().appliedIndex
    await until('all replicas to catch up', () => new Set(nodeIds.map(indexOf)).size === 1)
    const [first, ...others] = await Promise.all(nodeIds.map((nodeId) => rowsOf(cluster.group(nodeId))))
    assert.ok(first !== undefined && first.rows.size > 0)
    for (const other of others) assert.deepEqual(other.rows, first.rows)
    census(first)
  }

  #judge(model: Model<unknown, I, O>, isRead: (input: I) => boolean): void {
    const { history, seed } = this
    for (const key of new Set(history.map((each) => each.key))) {
      const ofKey = history.filter(
        (each) => each.key === key && (!isRead(each.input) || each.output !== undefined),
      )
      assert.ok(
        isLinearizable(model, ofKey),
        `SEED=${seed}: the history of ${JSON.stringify(key)} is not linearizable`,
      )
    }
    const answered = history.filter((each) => each.output !== undefined)
    if (process.env.SIM_TRACE === '1')
      console.log(`${history.length} operations, ${answered.length} answered`)
  }

  /** Which operations were answered, each once. */
  answered(): Set<string> {
    return new Set(this.history.filter((each) => each.output !== undefined).map((each) => each.input.op))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** All rows of a group, read from one replica. */
async function rowsOf(group: Group): Promise<MemoryRows> {
  const rows = new MemoryRows()
  for await (const { key, value } of group.scan({ gte: '', lt: '\u007f' })) rows.rows.set(key, value)
  return rows
}
