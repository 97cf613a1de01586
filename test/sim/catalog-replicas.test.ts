/**
 * The catalog on three replicas whose machines lose power, are cut off and lose messages, under clients that repeat
 * what was not answered. Real host, codec and clock, disks in memory: the seed decides what happens, not when.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import type { Group } from '../../node/services/replica-group.ts'
import { bucketId, census, complete, createUpload, del, put, putPart } from '../unit/catalog-fixture.ts'
import { MemoryRows } from '../unit/row-fixture.ts'
import { isLinearizable, type Model, type Operation } from './linearizability.ts'
import { SeededRandom } from './random.ts'
import { ReplicaCluster, until, voters } from './replica-cluster.ts'
import { SimStore } from './sim-store.ts'

const seed = Number(process.env.SEED ?? 1)
/** How long faults go on; afterwards everything is repaired and compared. */
const faultsMs = Number(process.env.FAULTS_MS ?? 5_000)
const clients = 6
const nodeIds = ['n1', 'n2', 'n3']
const keys = ['a', 'b', 'ü\u0000']

type Input =
  | { readonly op: 'get' }
  | { readonly op: 'put'; readonly versionId: string; readonly onlyNew: boolean }
  | { readonly op: 'delete'; readonly versionId: string }
type Output = { readonly found: string | undefined } | { readonly done: boolean }

/** One key of a bucket: the id of its current version. A delete names the version that it means. */
const keyModel: Model<{ current: string | undefined }, Input, Output> = {
  initial: { current: undefined },
  name: ({ current }) => current ?? '',
  step: (state, input, output) => {
    const { current } = state
    if (input.op === 'get') {
      return output === undefined || ('found' in output && output.found === current) ? state : undefined
    }
    const takes = input.op === 'put' ? !input.onlyNew || current === undefined : current === input.versionId
    if (output !== undefined && !('done' in output && output.done === takes)) return undefined
    if (!takes) return state
    return { current: input.op === 'put' ? input.versionId : undefined }
  },
}

type Recorded = { -readonly [K in keyof Operation<Input, Output>]: Operation<Input, Output>[K] } & {
  key: string
}

class Run {
  readonly random = new SeededRandom(seed)
  readonly cluster = new ReplicaCluster({ members: voters(...nodeIds), seed })
  readonly history: Recorded[] = []
  /** Writes that were answered with success. */
  readonly accepted: CatalogCommand[] = []
  over = false
  ended = false
  #nextId = 1

  async start(): Promise<void> {
    for (const nodeId of nodeIds) await this.cluster.start(nodeId, new SimStore(), catalog)
    await this.propose({ kind: 'open-bucket', bucketId, attempt: 1 })
  }

  /** As the gateway's router: the same request id until an answer comes or the patience ends; then nobody knows. */
  async propose(command: CatalogCommand): Promise<unknown> {
    const requestId = this.random.hex(16)
    const answer = await this.#patiently((group) => group.propose(command, { requestId, timeoutMs: 300 }))
    const isWrite = ['put-version', 'put-part', 'complete-upload'].includes(command.kind)
    if (isWrite && !isErrorReply(answer)) this.accepted.push(command)
    return answer
  }

  async get(key: string): Promise<string | undefined> {
    const { version } = await this.#patiently(async (group) => {
      await group.readBarrier(300)
      return answerCatalogQuery(group, { kind: 'find-object', bucketId, key, blobsFor: 'all' })
    })
    return version?.versionId
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

  async client(): Promise<void> {
    while (!this.over) {
      const key = this.random.pick(keys)
      const draw = this.random.float()
      if (draw < 0.35) await this.#record(key, { op: 'get' }, async () => ({ found: await this.get(key) }))
      else if (draw < 0.65) await this.#put(key)
      else if (draw < 0.8) await this.#multipart(key)
      else if (draw < 0.95) await this.#delete(key)
      else await this.#repeat()
    }
  }

  async #put(key: string): Promise<void> {
    const versionId = this.#id('f')
    const onlyNew = this.random.chance(0.3)
    const blobIds = this.random.chance(0.2) ? [] : [this.#id('b')]
    const command = put(key, versionId, blobIds, { conditions: onlyNew ? { ifNoneMatch: '*' } : {} })
    await this.#record(key, { op: 'put', versionId, onlyNew }, () =>
      this.#done(command, 'PreconditionFailed'),
    )
  }

  /** Create and parts may fail; completing is what counts. */
  async #multipart(key: string): Promise<void> {
    const [uploadId, versionId] = [this.#id('e'), this.#id('c')]
    const parts = [1, 2].map((partNumber) => [partNumber, this.#id('b')] as const)
    for (const command of [
      createUpload(key, uploadId),
      ...parts.map(([number, blobId]) => putPart(key, uploadId, number, blobId)),
    ]) {
      const reply = await this.propose(command).catch(() => undefined)
      if (reply === undefined || isErrorReply(reply)) return
    }
    const command = complete(key, uploadId, parts, { versionId })
    await this.#record(key, { op: 'put', versionId, onlyNew: false }, () => this.#done(command))
  }

  async #delete(key: string): Promise<void> {
    const versionId = await this.get(key).catch(() => undefined)
    if (versionId === undefined) return
    await this.#record(key, { op: 'delete', versionId }, async () => {
      const reply = await this.propose(del(key, { versionId }))
      if (isErrorReply(reply)) assert.equal(reply.error.code, 'ConditionalConflict')
      return { done: !isErrorReply(reply) && (reply as { existed: boolean }).existed }
    })
  }

  /** What a gateway that was paused does: sends a command again that took effect, under an id that nobody remembers. */
  async #repeat(): Promise<void> {
    if (this.accepted.length === 0) return
    const command = this.random.pick(this.accepted)
    const reply = await this.propose(command).catch(() => undefined)
    if (isErrorReply(reply))
      assert.equal(command.kind, 'put-part', `${command.kind} again: ${reply.error.code}`)
  }

  async #done(command: CatalogCommand, refusal?: string): Promise<Output> {
    const reply = await this.propose(command)
    if (isErrorReply(reply)) assert.equal(reply.error.code, refusal)
    return { done: !isErrorReply(reply) }
  }

  async #record(key: string, input: Input, run: () => Promise<Output>): Promise<void> {
    const operation: Recorded = {
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

  /** Rejects when a replica stops itself: nobody answers then, and the clients would wait for ever. */
  async failure(): Promise<never> {
    for (;;) {
      if (this.ended) return new Promise(() => undefined)
      assert.deepEqual(this.cluster.failures, [])
      await pause(50)
    }
  }

  /** One fault at a time, each long enough for an election, so that the group goes on in between. */
  async nemesis(): Promise<void> {
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

  #id(prefix: string): string {
    this.#nextId += 1
    return prefix + this.#nextId.toString(16).padStart(6, '0')
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

test('through power losses and partitions each key is linearizable, and all replicas have the same sound rows', {
  timeout: 120_000,
}, async () => {
  const run = new Run()
  const { cluster } = run
  let nemesis = Promise.resolve()
  try {
    await run.start()
    nemesis = run.nemesis()
    const busy = [...Array.from({ length: clients }, () => run.client()), nemesis]
    const finished = Promise.all(busy)
    await Promise.race([pause(faultsMs), finished, run.failure()])
    run.over = true
    await Promise.race([finished, run.failure()])
    await run.propose({ kind: 'forget-garbage', blobIds: [] })

    const indexOf = (nodeId: string) => cluster.group(nodeId).status().appliedIndex
    await until('all replicas to catch up', () => new Set(nodeIds.map(indexOf)).size === 1)
    const [first, ...others] = await Promise.all(nodeIds.map((nodeId) => rowsOf(cluster.group(nodeId))))
    assert.ok(first !== undefined && first.rows.size > 0)
    for (const other of others) assert.deepEqual(other.rows, first.rows)
    census(first)
    for (const key of keys) {
      const history = run.history.filter(
        (each) => each.key === key && (each.input.op !== 'get' || each.output !== undefined),
      )
      assert.ok(
        isLinearizable(keyModel, history),
        `SEED=${seed}: the history of ${JSON.stringify(key)} is not linearizable`,
      )
    }
    const answered = run.history.filter((each) => each.output !== undefined)
    for (const op of ['get', 'put', 'delete'])
      assert.ok(
        answered.some((each) => each.input.op === op),
        `${op} was answered`,
      )
    if (process.env.SIM_TRACE === '1')
      console.log(`${run.history.length} operations, ${answered.length} answered`)
    assert.deepEqual(cluster.failures, [])
  } finally {
    run.over = true
    run.ended = true
    // It may be about to start a replica again.
    await nemesis.catch(() => undefined)
    await cluster.close()
  }
})
