/** Objects of an unversioned bucket on replicas that lose power and are cut off: each key is linearizable. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { bucketId, complete, createUpload, del, put, putPart } from '../unit/catalog-fixture.ts'
import { CatalogRun } from './catalog-run.ts'
import type { Model } from './linearizability.ts'

const seed = Number(process.env.SEED ?? 1)
/** How long faults go on; afterwards everything is repaired and compared. */
const faultsMs = Number(process.env.FAULTS_MS ?? 5_000)
const clients = 6
const keys = ['a', 'b', 'ü\u0000']

type Input =
  | { readonly op: 'get' }
  | { readonly op: 'put'; readonly versionId: string; readonly onlyNew: boolean }
  | { readonly op: 'delete'; readonly versionId: string }
type Output = { readonly found: string | undefined } | { readonly done: boolean }

interface State {
  readonly current: string | undefined
}

/** One key of a bucket: the id of its current version. A delete names the version that it means. */
const keyModel: Model<State, Input, Output> = {
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

class Run extends CatalogRun<Input, Output> {
  /** Writes that were answered with success. */
  readonly accepted: CatalogCommand[] = []

  async write(command: CatalogCommand): Promise<unknown> {
    const answer = await this.propose(command)
    const isWrite = ['put-version', 'put-part', 'complete-upload'].includes(command.kind)
    if (isWrite && !isErrorReply(answer)) this.accepted.push(command)
    return answer
  }

  async get(key: string): Promise<string | undefined> {
    const { version } = await this.query({ kind: 'find-object', bucketId, key, blobsFor: 'all' })
    return version?.versionId
  }

  async client(): Promise<void> {
    const key = this.random.pick(keys)
    const draw = this.random.float()
    if (draw < 0.35) await this.record(key, { op: 'get' }, async () => ({ found: await this.get(key) }))
    else if (draw < 0.65) await this.#put(key)
    else if (draw < 0.8) await this.#multipart(key)
    else if (draw < 0.95) await this.#delete(key)
    else await this.#repeat()
  }

  async #put(key: string): Promise<void> {
    const versionId = this.id('f')
    const onlyNew = this.random.chance(0.3)
    const blobIds = this.random.chance(0.2) ? [] : [this.id('b')]
    const command = put(key, versionId, blobIds, { conditions: onlyNew ? { ifNoneMatch: '*' } : {} })
    await this.record(key, { op: 'put', versionId, onlyNew }, () => this.#done(command, 'PreconditionFailed'))
  }

  /** Create and parts may fail; completing is what counts. */
  async #multipart(key: string): Promise<void> {
    const [uploadId, versionId] = [this.id('e'), this.id('c')]
    const parts = [1, 2].map((partNumber) => [partNumber, this.id('b')] as const)
    for (const command of [
      createUpload(key, uploadId),
      ...parts.map(([number, blobId]) => putPart(key, uploadId, number, blobId)),
    ]) {
      const reply = await this.write(command).catch(() => undefined)
      if (reply === undefined || isErrorReply(reply)) return
    }
    const command = complete(key, uploadId, parts, { versionId })
    await this.record(key, { op: 'put', versionId, onlyNew: false }, () => this.#done(command))
  }

  async #delete(key: string): Promise<void> {
    const versionId = await this.get(key).catch(() => undefined)
    if (versionId === undefined) return
    await this.record(key, { op: 'delete', versionId }, async () => {
      const reply = await this.write(del(key, { versionId }))
      if (isErrorReply(reply)) assert.equal(reply.error.code, 'ConditionalConflict')
      return { done: !isErrorReply(reply) && (reply as { existed: boolean }).existed }
    })
  }

  /** What a gateway that was paused does: sends a command again that took effect, under an id that nobody remembers. */
  async #repeat(): Promise<void> {
    if (this.accepted.length === 0) return
    const command = this.random.pick(this.accepted)
    const reply = await this.write(command).catch(() => undefined)
    if (isErrorReply(reply))
      assert.equal(command.kind, 'put-part', `${command.kind} again: ${reply.error.code}`)
  }

  async #done(command: CatalogCommand, refusal?: string): Promise<Output> {
    const reply = await this.write(command)
    if (isErrorReply(reply)) assert.equal(reply.error.code, refusal)
    return { done: !isErrorReply(reply) }
  }
}

test('through power losses and partitions each key is linearizable, and all replicas have the same sound rows', {
  timeout: 120_000,
}, async () => {
  const run = new Run(seed)
  await run.through({
    faultsMs,
    clients: Array.from({ length: clients }, () => () => run.client()),
    begin: [],
    model: keyModel,
    isRead: ({ op }) => op === 'get',
  })
  for (const op of ['get', 'put', 'delete']) assert.ok(run.answered().has(op), `${op} was answered`)
})
