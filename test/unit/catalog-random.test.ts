import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VersioningState, WriteRules } from '../../node/core/bucket-configuration.ts'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type {
  Amendment,
  Blob,
  CatalogCommand,
  ListedVersion,
  VersionAttributes,
  WriteConditions,
} from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { census, dataKey, inline, metadata, sharded, version } from './catalog-fixture.ts'
import { CatalogOracle, type Entry } from './catalog-oracle.ts'
import { Driver, Seeded } from './row-fixture.ts'

/** SEED repeats one run, RUNS makes more of them. */
const firstSeed = Number(process.env.SEED ?? 1)
const runs = Number(process.env.RUNS ?? (process.env.SEED === undefined ? 25 : 1))
const stepsPerRun = 600

const bucketIds = ['b0', 'b1']
const keys = ['k', 'k\u0000', 'dir/ü']

/** Draws commands that collide as often as possible: few keys, blobs that were used before, late repetitions. */
class CommandSource {
  readonly random: Seeded
  readonly oracle: CatalogOracle
  readonly sent: CatalogCommand[] = []
  #nextId = 1

  constructor(random: Seeded, oracle: CatalogOracle) {
    this.random = random
    this.oracle = oracle
  }

  next(): CatalogCommand {
    const { random } = this
    const command = this.sent.length > 0 && random.chance(25) ? random.pick(this.sent) : this.#fresh()
    this.sent.push(command)
    return command
  }

  #fresh(): CatalogCommand {
    const { random } = this
    const bucketId = random.pick(bucketIds)
    const key = random.pick(keys)
    const draw = random.below(100)
    if (draw < 4) return { kind: 'open-bucket', bucketId, attempt: random.below(30) }
    if (draw < 6) return { kind: 'close-bucket', bucketId, attempt: random.below(30) }
    if (draw < 9) return { kind: 'set-write-rules', bucketId, rules: this.#rules(bucketId) }
    if (draw < 26) return this.#put(bucketId, key)
    if (draw < 31) return this.#delete(bucketId, key)
    if (draw < 37) return this.#deleteVersion(bucketId, key)
    if (draw < 41) return this.#amend(bucketId, key)
    if (draw < 48)
      return { kind: 'create-upload', bucketId, upload: this.#upload(key), ...this.#revision(bucketId) }
    if (draw < 68) return this.#part()
    if (draw < 80) return this.#complete()
    if (draw < 83) return { kind: 'abort-upload', ...this.#uploadName(), nowMs: this.#time() }
    if (draw < 89)
      return { kind: 'abandon-blobs', blobIds: [this.#anyBlob(), this.#anyBlob()], nowMs: this.#time() }
    if (draw < 94) return { kind: 'forget-garbage', blobIds: [this.#anyBlob(), this.#anyBlob()] }
    const [from, to] = [random.pick(['a-1', 'b-1']), random.pick(['a-2', 'b-2'])]
    return {
      kind: 'relocate-shard',
      blobId: this.#anyBlob(),
      generation: 1,
      shardIndex: random.below(4),
      from,
      to,
    }
  }

  #put(bucketId: string, key: string): CatalogCommand {
    const { random } = this
    const blobs = Array.from({ length: random.pick([0, 1, 1, 1, 2, 7]) }, () => this.#blob())
    const distinct = [...new Map(blobs.map((blob) => [blob.blobId, blob])).values()]
    const extents = distinct.map(({ blobId }) => ({ blobId, bytes: 10 }))
    const bytes = 10 * extents.length
    const etag = random.pick(['e1', 'e2'])
    return {
      kind: 'put-version',
      bucketId,
      version: version(this.#id('f'), key, {
        extents,
        bytes,
        etag,
        modifiedMs: this.#time(),
        ...this.#attributes(),
      }),
      blobs: distinct,
      conditions: this.#conditions(),
      ...this.#revision(bucketId),
    }
  }

  #delete(bucketId: string, key: string): CatalogCommand {
    const current = this.#history(bucketId, key)[0]?.id
    const named = current !== undefined && this.random.chance(50) ? { versionId: current } : {}
    return {
      kind: 'delete-object',
      bucketId,
      key,
      nowMs: this.#time(),
      conditions: this.#conditions(),
      ...named,
      ...(this.random.chance(90) ? { markerId: this.#id('d'), ownerId: 'user-2' } : {}),
      ...this.#revision(bucketId),
    }
  }

  #deleteVersion(bucketId: string, key: string): CatalogCommand {
    return {
      kind: 'delete-version',
      bucketId,
      key,
      versionId: this.#anyVersion(bucketId, key)?.id ?? 'f1',
      nowMs: this.#time(),
      conditions: this.#conditions(),
      ...(this.random.chance(30) ? { bypassGovernance: true } : {}),
    }
  }

  #amend(bucketId: string, key: string): CatalogCommand {
    const entry = this.#anyVersion(bucketId, key)
    const seen = this.random.chance(90) ? entry?.version?.amendId : 'a0'
    return {
      kind: 'amend-version',
      bucketId,
      key,
      versionId: entry?.id ?? 'f1',
      nowMs: this.#time(),
      change: this.#change(),
      amendId: this.#id('a'),
      ...(seen === undefined ? {} : { afterAmendId: seen }),
      ...(this.random.chance(30) ? { bypassGovernance: true } : {}),
      ...this.#revision(bucketId),
    }
  }

  #change(): Amendment {
    const { random } = this
    const { retention, acl, tags } = this.#attributes()
    switch (random.below(4)) {
      case 0:
        return { kind: 'legal-hold', on: random.chance(40) }
      case 1:
        return { kind: 'tags', tags: tags ?? null }
      case 2:
        return { kind: 'acl', acl: acl ?? null }
      default:
        return { kind: 'retention', retention: retention ?? null }
    }
  }

  #attributes(): VersionAttributes {
    const { random } = this
    const retention = {
      mode: random.pick(['GOVERNANCE', 'COMPLIANCE'] as const),
      untilMs: this.#time() + random.below(40),
    }
    return {
      ...(random.chance(10) ? { retention } : {}),
      ...(random.chance(3) ? { legalHold: true } : {}),
      ...(random.chance(10) ? { tags: { a: 'b' } } : {}),
      ...(random.chance(10)
        ? { acl: { grants: [{ grantee: { kind: 'all-users' }, permission: 'READ' }] } }
        : {}),
    }
  }

  /** Revisions that rise slowly; states that a registry would never ask for among them. */
  #rules(bucketId: string): WriteRules {
    const { random } = this
    const known = this.oracle.buckets.get(bucketId)?.rules.revision ?? 0
    const versioning: VersioningState = random.pick(['Off', 'Enabled', 'Enabled', 'Suspended'])
    const defaultRetention = { mode: 'GOVERNANCE', days: 1 } as const
    return {
      revision: known + random.below(3),
      versioning,
      ...(random.chance(8) ? { objectLock: random.chance(20) ? { defaultRetention } : {} } : {}),
    }
  }

  #revision(bucketId: string): { rulesRevision?: number } {
    const known = this.oracle.buckets.get(bucketId)?.rules.revision ?? 0
    return this.random.chance(50) ? { rulesRevision: known + (this.random.chance(5) ? 1 : 0) } : {}
  }

  #history(bucketId: string, key: string): readonly Entry[] {
    return this.oracle.histories.get(`${bucketId}/${key}`) ?? []
  }

  #anyVersion(bucketId: string, key: string): Entry | undefined {
    const history = this.#history(bucketId, key)
    return history.length === 0 ? undefined : this.random.pick(history)
  }

  #upload(key: string) {
    return {
      uploadId: this.#id('e'),
      key,
      startedMs: this.#time(),
      ownerId: 'u',
      metadata,
      dataKey,
      segmentBytes: 10,
      ...this.#attributes(),
    }
  }

  #part(): CatalogCommand {
    const blob = this.random.chance(10) ? undefined : this.#blob()
    const bytes = blob === undefined ? 0 : this.random.pick([5, 10])
    const part = {
      partNumber: 1 + this.random.below(4),
      blobId: blob?.blobId ?? '',
      bytes,
      etag: `etag-${blob?.blobId ?? ''}`,
      modifiedMs: this.#time(),
    }
    return { kind: 'put-part', ...this.#uploadName(), part, blob }
  }

  #complete(): CatalogCommand {
    const name = this.#uploadName()
    const known =
      this.oracle.uploads.get(`${name.bucketId}/${name.key}|${name.uploadId}`)?.parts.values() ?? []
    const parts = [...known]
      .sort((a, b) => a.partNumber - b.partNumber)
      .filter(() => this.random.chance(80))
      .map(({ partNumber, etag }) => ({ partNumber, etag: this.random.chance(5) ? 'other' : etag }))
    if (this.random.chance(5)) parts.reverse()
    return {
      kind: 'complete-upload',
      ...name,
      parts,
      versionId: this.#id('c'),
      etag: this.random.pick(['e1', 'e2']),
      nowMs: this.#time(),
      partBytesMin: this.random.pick([0, 0, 10]),
      ...this.#revision(name.bucketId),
      conditions: this.#conditions(),
    }
  }

  #uploadName() {
    const open = [...this.oracle.uploads.keys()]
    const path = open.length === 0 || this.random.chance(10) ? 'b0/k|e999' : this.random.pick(open)
    const bar = path.lastIndexOf('|')
    return { bucketId: path.slice(0, 2), key: path.slice(3, bar), uploadId: path.slice(bar + 1) }
  }

  #conditions(): WriteConditions {
    const draw = this.random.below(20)
    if (draw === 0) return { ifNoneMatch: '*' }
    if (draw === 1) return { ifMatch: '*' }
    return draw < 4 ? { ifMatch: this.random.pick(['e1', 'e2']) } : {}
  }

  #blob(): Blob {
    const blobId = this.random.chance(8) ? this.#anyBlob() : this.#id('b')
    return Number.parseInt(blobId.slice(1), 16) % 3 === 0 ? inline(blobId) : sharded(blobId)
  }

  #anyBlob(): string {
    return `b${(1 + this.random.below(this.#nextId)).toString(16)}`
  }

  #id(prefix: string): string {
    const id = `${prefix}${this.#nextId.toString(16)}`
    this.#nextId += 1
    return id
  }

  #time(): number {
    return 1000 + this.random.below(50)
  }
}

async function agree(driver: Driver, oracle: CatalogOracle, pageSizes: readonly number[]): Promise<void> {
  const { referenced, garbage } = census(driver.rows)
  assert.deepEqual(referenced, new Set([...oracle.used.keys()].sort()).intersection(referenced))
  assert.equal(referenced.size, oracle.used.size)
  assert.deepEqual([...garbage].sort(), [...oracle.garbage].sort())
  for (const bucketId of bucketIds) {
    if (oracle.buckets.get(bucketId)?.open !== true) continue
    for (const key of keys) {
      const history = oracle.histories.get(`${bucketId}/${key}`) ?? []
      await agreeOnVersion(driver, oracle, { bucketId, key, expected: history[0] })
      for (const expected of history) {
        await agreeOnVersion(driver, oracle, { bucketId, key, versionId: expected.id, expected })
      }
      const expected = history.find((entry) => !entry.versioned)
      await agreeOnVersion(driver, oracle, { bucketId, key, versionId: 'null', expected })
    }
    const all = keys
      .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .flatMap((key) => {
        const history = oracle.histories.get(`${bucketId}/${key}`) ?? []
        return history.map((entry, at) => listedEntry(key, entry, at === 0))
      })
    for (const limit of pageSizes) assert.deepEqual(await pagesOf(driver, bucketId, limit), all)
    const list = {
      kind: 'list-uploads',
      bucketId,
      prefix: '',
      delimiter: '',
      afterKey: '',
      afterUploadId: '',
      limit: 1000,
    } as const
    const uploads = await answerCatalogQuery(driver.rows, list)
    assert.equal(
      uploads.items.length,
      [...oracle.uploads.keys()].filter((path) => path.startsWith(bucketId)).length,
    )
  }
}

async function agreeOnVersion(
  driver: Driver,
  oracle: CatalogOracle,
  look: { bucketId: string; key: string; versionId?: string; expected: Entry | undefined },
): Promise<void> {
  const { expected, ...named } = look
  const found = await answerCatalogQuery(driver.rows, { kind: 'find-object', blobsFor: 'all', ...named })
  assert.deepEqual(found.version, expected?.version)
  const blobs = expected?.blobIds.map((blobId) => oracle.used.get(blobId)?.blob) ?? []
  assert.deepEqual(found.blobs, blobs)
  const isMarker = expected !== undefined && expected.version === undefined
  assert.equal(found.marker?.versionId, isMarker ? expected.id : undefined)
  assert.equal(found.versioning ?? 'Off', oracle.buckets.get(look.bucketId)?.rules.versioning)
}

function listedEntry(key: string, entry: Entry, isLatest: boolean): object {
  const { id: versionId, modifiedMs, ownerId, versioned, version: stored } = entry
  const common = { key, versionId, modifiedMs, ownerId, isLatest, ...(versioned ? { versioned } : {}) }
  if (stored === undefined) return { kind: 'marker', ...common }
  const { bytes, etag, tags } = stored
  return { kind: 'version', ...common, bytes, etag, ...(tags === undefined ? {} : { tags }) }
}

/** All pages of the listing of versions, each begun where the one before it ended, in the words of a client. */
async function pagesOf(driver: Driver, bucketId: string, limit: number): Promise<ListedVersion[]> {
  const items: ListedVersion[] = []
  let after = { afterKey: '', afterVersionId: '' }
  for (;;) {
    const page = await answerCatalogQuery(driver.rows, {
      kind: 'list-versions',
      bucketId,
      prefix: '',
      delimiter: '',
      ...after,
      limit,
    })
    items.push(...page.items)
    const last = page.items.at(-1)
    if (!page.truncated || last === undefined) return items
    after = { afterKey: last.key, afterVersionId: last.versioned === true ? last.versionId : 'null' }
  }
}

test('random commands, repeated and late ones among them, are answered as by plain maps, and no blob in use is lost', async () => {
  const outcomes = new Map<string, number>()
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const driver = new Driver(catalog)
    const twin = new Driver(catalog)
    const oracle = new CatalogOracle()
    const source = new CommandSource(new Seeded(seed), oracle)
    // Of its own: the clock jumps, but what commands come does not depend on it.
    const clock = new Seeded(seed + 1_000_000)
    for (let step = 0; step < stepsPerRun; step += 1) {
      const command = source.next()
      const where = `SEED=${seed} step ${step}: ${JSON.stringify(command)}`
      const leaderMs = 980 + clock.below(100)
      driver.leaderMs = leaderMs
      twin.leaderMs = leaderMs
      const expected = oracle.apply(command, leaderMs)
      const { reply, mutations } = driver.apply(command)
      const shown = isErrorReply(reply) ? { refused: reply.error.code } : reply
      assert.deepEqual(shown, expected, where)
      assert.deepEqual(twin.apply(command).mutations, mutations, `${where}: replicas differ`)
      const outcome = isErrorReply(reply) ? reply.error.code : `${command.kind} done`
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (step % 20 === 0) {
        await agree(driver, oracle, [1000]).catch((error) => assert.fail(`${where}: ${error}`))
      }
    }
    await agree(driver, oracle, [1, 2, 3])
  }
  for (const outcome of [
    'VersionAbandoned',
    'PreconditionFailed',
    'BucketNotEmpty',
    'StaleBucket',
    'InvalidPart',
    'WriteRulesBehind',
    'WriteRulesConflict',
    'WormProtected',
    'NoObjectLock',
    'IsDeleteMarker',
    'ConditionalConflict',
    'delete-version done',
    'amend-version done',
    'complete-upload done',
    'relocate-shard done',
  ]) {
    assert.ok((outcomes.get(outcome) ?? 0) > 0, `the runs reach ${outcome}: ${JSON.stringify([...outcomes])}`)
  }
})
