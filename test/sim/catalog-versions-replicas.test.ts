/**
 * Objects of a versioned bucket with Object Lock on replicas that lose power and are cut off: each key is linearizable,
 * listings of its versions included, and what is on hold stays.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { bucketId, complete, createUpload, del, put, putPart } from '../unit/catalog-fixture.ts'
import { CatalogRun } from './catalog-run.ts'
import { type VersionInput, type VersionOutput, versionedKey } from './versioned-key.ts'

const seed = Number(process.env.SEED ?? 1)
const faultsMs = Number(process.env.FAULTS_MS ?? 5_000)
const clients = 6
/** None of them is a prefix of another: a listing by prefix shows one. */
const keys = ['a', 'b', 'ü\u0000']
/** On hold from the beginning, and removed by nobody; not in the histories. */
const evidence = { bucketId, key: 'evidence', versionId: 'f0', nowMs: 1 }
const everything = { delimiter: '', afterKey: '', afterVersionId: '', limit: 1000 }

class Run extends CatalogRun<VersionInput, VersionOutput> {
  /** Writes that were answered with success. */
  readonly accepted: CatalogCommand[] = []
  readonly held: { readonly key: string; readonly versionId: string }[] = [evidence]

  async client(): Promise<void> {
    const key = this.random.pick(keys)
    const draw = this.random.float()
    if (draw < 0.15) await this.#get(key)
    else if (draw < 0.3) await this.#list(key)
    else if (draw < 0.5) await this.#put(key)
    else if (draw < 0.6) await this.#multipart(key)
    else if (draw < 0.7) await this.#delete(key)
    else if (draw < 0.92) await this.#change(key)
    else if (draw < 0.96) await this.#attack()
    else await this.#repeat()
  }

  async #attack(): Promise<void> {
    const command = { kind: 'delete-version', ...evidence, conditions: {}, bypassGovernance: true } as const
    const reply = await this.propose(command).catch(() => undefined)
    if (reply !== undefined) assert.ok(isErrorReply(reply) && reply.error.code === 'WormProtected')
  }

  async #get(key: string): Promise<void> {
    await this.record(key, { op: 'get' }, async () => ({ found: await this.find(key) }))
  }

  /** An id, `!` in front of a marker's. */
  async find(key: string, versionId?: string): Promise<string | undefined> {
    const named = versionId === undefined ? {} : { versionId }
    const query = { kind: 'find-object', bucketId, key, blobsFor: 'all', ...named } as const
    const { version, marker } = await this.query(query)
    return marker === undefined ? version?.versionId : `!${marker.versionId}`
  }

  async #list(key: string): Promise<void> {
    await this.record(key, { op: 'list' }, async () => ({ ids: await this.#ids(key) }))
  }

  async #ids(key: string): Promise<string[]> {
    const query = { kind: 'list-versions', bucketId, prefix: key, ...everything } as const
    const { items } = await this.query(query)
    items.forEach(({ isLatest }, at) => {
      assert.equal(isLatest, at === 0, 'the first is the latest')
    })
    return items.map(({ kind, versionId }) => (kind === 'marker' ? `!${versionId}` : versionId))
  }

  async #put(key: string): Promise<void> {
    const versionId = this.id('f')
    const onlyNew = this.random.chance(0.3)
    const blobIds = this.random.chance(0.2) ? [] : [this.id('b')]
    const command = put(key, versionId, blobIds, { conditions: onlyNew ? { ifNoneMatch: '*' } : {} })
    await this.record(key, { op: 'put', versionId, onlyNew }, () => this.#write(command))
  }

  /** Create and parts may fail; completing is what counts. */
  async #multipart(key: string): Promise<void> {
    const [uploadId, versionId, blobId] = [this.id('e'), this.id('c'), this.id('b')]
    for (const command of [createUpload(key, uploadId), putPart(key, uploadId, 1, blobId)]) {
      const reply = await this.propose(command).catch(() => undefined)
      if (reply === undefined || isErrorReply(reply)) return
    }
    const command = complete(key, uploadId, [[1, blobId]], { versionId })
    await this.record(key, { op: 'put', versionId, onlyNew: false }, () => this.#write(command))
  }

  async #delete(key: string): Promise<void> {
    const markerId = this.id('d')
    await this.record(key, { op: 'delete', markerId }, () => this.#write(del(key, { markerId })))
  }

  /** Looks at a version, removes it, or puts it on hold. */
  async #change(key: string): Promise<void> {
    const ids = await this.#ids(key).catch(() => [])
    if (ids.length === 0) return
    const versionId = this.random.pick(ids).replace('!', '')
    const at = { bucketId, key, versionId, nowMs: 1 }
    const draw = this.random.float()
    if (draw < 0.25) {
      const look = async () => ({ found: await this.find(key, versionId) })
      await this.record(key, { op: 'get-version', versionId }, look)
    } else if (draw < 0.8) {
      await this.record(key, { op: 'delete-version', versionId }, async () => {
        const reply = await this.propose({ kind: 'delete-version', ...at, conditions: {} })
        if (isErrorReply(reply)) return { refused: reply.error.code }
        return { existed: (reply as { existed: boolean }).existed }
      })
    } else {
      const change = { kind: 'legal-hold', on: true } as const
      const command = { kind: 'amend-version', ...at, change, amendId: this.id('a') } as const
      await this.record(key, { op: 'hold', versionId }, async () => {
        const output = await this.#write(command)
        // A second hold finds the amendment of the first: the version is on hold all the same.
        if ('refused' in output && output.refused === 'ConditionalConflict') return { done: true }
        if ('done' in output) this.held.push({ key, versionId })
        return output
      })
    }
  }

  /** What a gateway that was paused does: sends a command again that took effect, under an id that nobody remembers. */
  async #repeat(): Promise<void> {
    if (this.accepted.length === 0) return
    const command = this.random.pick(this.accepted)
    const reply = await this.propose(command).catch(() => undefined)
    if (isErrorReply(reply)) {
      assert.equal(command.kind, 'amend-version', `${command.kind} again: ${reply.error.code}`)
      assert.ok(['NoSuchVersion', 'ConditionalConflict'].includes(reply.error.code))
    }
  }

  async #write(command: CatalogCommand): Promise<VersionOutput> {
    const reply = await this.propose(command)
    if (isErrorReply(reply)) return { refused: reply.error.code }
    this.accepted.push(command)
    return { done: true }
  }
}

test('through power losses and partitions the versions of each key are linearizable, and what is on hold stays', {
  timeout: 120_000,
}, async () => {
  const run = new Run(seed)
  const rules = { revision: 1, versioning: 'Enabled', objectLock: {} } as const
  let missing: string[] = []
  await run.through({
    faultsMs,
    clients: Array.from({ length: clients }, () => () => run.client()),
    begin: [
      { kind: 'set-write-rules', bucketId, rules },
      put(evidence.key, evidence.versionId, ['b0']),
      { kind: 'amend-version', ...evidence, change: { kind: 'legal-hold', on: true }, amendId: 'a0' },
    ],
    model: versionedKey,
    isRead: ({ op }) => op === 'get' || op === 'get-version' || op === 'list',
    atEnd: async () => {
      const found = await Promise.all(run.held.map(({ key, versionId }) => run.find(key, versionId)))
      missing = run.held.filter((_, at) => found[at] === undefined).map(({ versionId }) => versionId)
    },
  })
  assert.deepEqual(missing, [], 'versions on hold that are gone')
  for (const op of ['get', 'list', 'put', 'delete', 'delete-version'])
    assert.ok(run.answered().has(op), `${op} was answered`)
})
