/**
 * Write once, read many: what Object Lock protects is there and unchanged, whatever commands come in whatever order,
 * how often and how late they are repeated, and whatever clocks say that are not the right one.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Retention, WriteRules } from '../../node/core/bucket-configuration.ts'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { Amendment, CatalogCommand, Version } from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { census, complete, createUpload, put, putPart } from './catalog-fixture.ts'
import { Driver, Seeded } from './row-fixture.ts'

/** SEED repeats one run, RUNS makes more of them. */
const firstSeed = Number(process.env.SEED ?? 1)
const runs = Number(process.env.RUNS ?? (process.env.SEED === undefined ? 12 : 1))
const stepsPerRun = 300

const bucketId = 'b0'
const keys = ['k', 'k\u0000']
const dayMs = 24 * 60 * 60 * 1000
const enabled: WriteRules = { revision: 1, versioning: 'Enabled' }
const locked: WriteRules = { ...enabled, objectLock: {} }

/** Who has the right time: the others say anything. */
type RightClock = 'leader' | 'gateways'

interface Kept {
  readonly key: string
  readonly version: Version
}

class Run {
  readonly random: Seeded
  readonly driver = new Driver(catalog)
  readonly right: RightClock
  readonly sent: CatalogCommand[] = []
  /** Every version that was ever there and is not known to be gone, as it was last seen. */
  readonly kept = new Map<string, Kept>()
  protectedChecks = 0
  refusals = 0
  trueMs = 10_000
  #nextId = 1

  constructor(seed: number) {
    this.random = new Seeded(seed)
    this.right = seed % 2 === 0 ? 'leader' : 'gateways'
    this.driver.run({ kind: 'open-bucket', bucketId, attempt: 1 })
    this.driver.run({ kind: 'set-write-rules', bucketId, rules: this.random.chance(70) ? locked : enabled })
  }

  async step(): Promise<void> {
    this.trueMs += this.random.below(8)
    this.driver.leaderMs = this.#clockOf('leader')
    const command = this.#next()
    this.sent.push(command)
    const { reply } = this.driver.apply(command)
    if (isErrorReply(reply) && reply.error.code === 'WormProtected') this.refusals += 1
    const written = isErrorReply(reply) ? undefined : writtenBy(command)
    const everything = this.sent.length % 50 === 0
    for (const [versionId, before] of this.kept) {
      if (everything || before.key === keyOf(command))
        await this.#check(versionId, before, { command, reply })
    }
    if (written === undefined) return
    const version = await this.#find(written.key, written.versionId)
    if (version !== undefined) this.kept.set(written.versionId, { key: written.key, version })
  }

  async #check(
    versionId: string,
    before: Kept,
    { command, reply }: { command: CatalogCommand; reply: unknown },
  ): Promise<void> {
    const after = await this.#find(before.key, versionId)
    const { retention, legalHold } = before.version
    const bypass = 'bypassGovernance' in command && command.bypassGovernance === true
    const active = retention !== undefined && retention.untilMs > this.trueMs
    const binding = active && !(bypass && retention.mode === 'GOVERNANCE')
    if (binding || legalHold === true) {
      this.protectedChecks += 1
      assert.ok(after !== undefined, `${versionId} is protected and gone`)
    }
    if (after === undefined) {
      this.kept.delete(versionId)
      return
    }
    if (binding) {
      assert.equal(after.retention?.mode, retention.mode, `the mode of ${versionId}`)
      assert.ok(after.retention.untilMs >= retention.untilMs, `the retention of ${versionId} was shortened`)
    }
    const released =
      command.kind === 'amend-version' &&
      command.versionId === versionId &&
      command.change.kind === 'legal-hold' &&
      !command.change.on &&
      !isErrorReply(reply)
    if (legalHold === true && !released) assert.equal(after.legalHold, true, `the hold of ${versionId}`)
    assert.deepEqual(contentOf(after), contentOf(before.version), `the content of ${versionId}`)
    this.kept.set(versionId, { key: before.key, version: after })
  }

  /** The version, with all its blobs. */
  async #find(key: string, versionId: string): Promise<Version | undefined> {
    const query = { kind: 'find-object', bucketId, key, versionId, blobsFor: 'all' } as const
    const { version, blobs } = await answerCatalogQuery(this.driver.rows, query)
    if (version !== undefined) assert.equal(blobs.length, version.extents.length)
    return version
  }

  #clockOf(who: RightClock): number {
    if (this.right === who) return this.trueMs
    return this.random.pick([0, this.trueMs - 1000, this.trueMs + 1000, this.trueMs + 100 * dayMs])
  }

  #next(): CatalogCommand {
    const { random } = this
    if (this.sent.length > 0 && random.chance(25)) return random.pick(this.sent)
    const key = random.pick(keys)
    const nowMs = this.#clockOf('gateways')
    const bypass = random.chance(25) ? { bypassGovernance: true as const } : {}
    const versionId = this.#anyVersion(key)
    const draw = random.below(100)
    if (draw < 22) return this.#put(key, nowMs)
    if (draw < 32)
      return { kind: 'delete-object', bucketId, key, nowMs, conditions: {}, markerId: this.#id('d') }
    if (draw < 52) {
      return { kind: 'delete-version', bucketId, key, versionId, nowMs, conditions: {}, ...bypass }
    }
    if (draw < 72) {
      const amendId = this.#id('a')
      const seen = this.kept.get(versionId)?.version.amendId
      const after = seen === undefined ? {} : { afterAmendId: seen }
      const change = this.#change()
      return { kind: 'amend-version', bucketId, key, versionId, change, nowMs, amendId, ...after, ...bypass }
    }
    if (draw < 78) return this.#upload(key)
    if (draw < 84) return this.#complete(nowMs)
    if (draw < 88) return { kind: 'set-write-rules', bucketId, rules: this.#rules() }
    if (draw < 90) return { kind: 'close-bucket', bucketId, attempt: 1 }
    if (draw < 92) return { kind: 'open-bucket', bucketId, attempt: 1 }
    const blobIds = [this.#anyBlob(), this.#anyBlob()]
    if (draw < 96) return { kind: 'abandon-blobs', blobIds, nowMs }
    return { kind: 'forget-garbage', blobIds }
  }

  #put(key: string, modifiedMs: number): CatalogCommand {
    const blobId = this.random.chance(8) ? this.#anyBlob() : this.#id('b')
    const command = put(key, this.#id('f'), this.random.chance(15) ? [] : [blobId], { bucketId, modifiedMs })
    const { random } = this
    const lock = {
      ...(random.chance(60) ? { retention: this.#retention() } : {}),
      ...(random.chance(10) ? { legalHold: true as const } : {}),
    }
    return { ...command, version: { ...command.version, ...lock } }
  }

  #upload(key: string): CatalogCommand {
    if (this.random.chance(50)) {
      const uploads = this.sent.filter((command) => command.kind === 'create-upload')
      const upload = uploads.length === 0 ? undefined : this.random.pick(uploads).upload
      if (upload !== undefined) return { ...putPart(upload.key, upload.uploadId, 1, this.#id('b')), bucketId }
    }
    const command = createUpload(key, this.#id('e'))
    return { ...command, bucketId, upload: { ...command.upload, retention: this.#retention() } }
  }

  #complete(nowMs: number): CatalogCommand {
    const parts = this.sent.filter((command) => command.kind === 'put-part')
    if (parts.length === 0) return this.#put('k', nowMs)
    const { key, uploadId, part } = this.random.pick(parts)
    const versionId = this.#id('c')
    return complete(key, uploadId, [[1, part.blobId]], { bucketId, versionId, nowMs, partBytesMin: 0 })
  }

  #change(): Amendment {
    const { random } = this
    if (random.chance(25)) return { kind: 'legal-hold', on: random.chance(50) }
    if (random.chance(15)) return { kind: 'tags', tags: { a: String(random.below(10)) } }
    return { kind: 'retention', retention: random.chance(10) ? null : this.#retention() }
  }

  #retention(): Retention {
    const mode = this.random.pick(['GOVERNANCE', 'COMPLIANCE'] as const)
    return { mode, untilMs: this.trueMs + this.random.pick([-100, 1, 50, 500, dayMs]) }
  }

  /** What a registry may say, and what only a faulty gateway would. */
  #rules(): WriteRules {
    const { random } = this
    const revision = 1 + random.below(400)
    if (random.chance(70)) return { ...locked, revision }
    return { revision, versioning: random.pick(['Off', 'Enabled', 'Suspended'] as const) }
  }

  #anyVersion(key: string): string {
    const known = [...this.kept].filter(([, kept]) => kept.key === key)
    return known.length === 0 || this.random.chance(10) ? 'f1' : this.random.pick(known)[0]
  }

  #anyBlob(): string {
    return `b${(1 + this.random.below(this.#nextId)).toString(16)}`
  }

  #id(prefix: string): string {
    const id = prefix + this.#nextId.toString(16)
    this.#nextId += 1
    return id
  }
}

function writtenBy(command: CatalogCommand): { key: string; versionId: string } | undefined {
  if (command.kind === 'put-version') return command.version
  return command.kind === 'complete-upload' ? command : undefined
}

function keyOf(command: CatalogCommand): string | undefined {
  if (command.kind === 'put-version') return command.version.key
  if (command.kind === 'create-upload') return command.upload.key
  return 'key' in command ? command.key : undefined
}

/** All of a version that nobody may ever change. */
function contentOf(version: Version): object {
  const { retention, legalHold, tags, acl, amendId, ...content } = version
  return content
}

test('a protected version is never lost, weakened or changed, as long as one of the two clocks is right', async () => {
  let [checks, refusals] = [0, 0]
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const run = new Run(seed)
    for (let step = 0; step < stepsPerRun; step += 1) {
      await run.step().catch((error) => {
        const command = JSON.stringify(run.sent.at(-1))
        assert.fail(`SEED=${seed} step ${step}, right clock: ${run.right}, ${command}: ${error}`)
      })
    }
    census(run.driver.rows)
    checks += run.protectedChecks
    refusals += run.refusals
  }
  assert.ok(checks > 500 * runs, `protected versions were looked at ${checks} times`)
  assert.ok(refusals > 10 * runs, `${refusals} removals were refused`)
})
