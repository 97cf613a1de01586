import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { Blob, CatalogCommand, WriteConditions } from '../../node/core/catalog-types.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { census, dataKey, inline, metadata, sharded, version } from './catalog-fixture.ts'
import { CatalogOracle } from './catalog-oracle.ts'
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
    if (draw < 26) return this.#put(bucketId, key)
    if (draw < 36) return this.#delete(bucketId, key)
    if (draw < 44) return { kind: 'create-upload', bucketId, upload: this.#upload(key) }
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
      version: version(this.#id('f'), key, { extents, bytes, etag, modifiedMs: this.#time() }),
      blobs: distinct,
      conditions: this.#conditions(),
    }
  }

  #delete(bucketId: string, key: string): CatalogCommand {
    const current = this.oracle.objects.get(`${bucketId}/${key}`)?.version.versionId
    const named = current !== undefined && this.random.chance(50) ? { versionId: current } : {}
    return {
      kind: 'delete-object',
      bucketId,
      key,
      nowMs: this.#time(),
      conditions: this.#conditions(),
      ...named,
    }
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

async function agree(driver: Driver, oracle: CatalogOracle): Promise<void> {
  const { referenced, garbage } = census(driver.rows)
  assert.deepEqual(referenced, new Set([...oracle.used.keys()].sort()).intersection(referenced))
  assert.equal(referenced.size, oracle.used.size)
  assert.deepEqual([...garbage].sort(), [...oracle.garbage].sort())
  for (const bucketId of bucketIds) {
    if (oracle.buckets.get(bucketId)?.open !== true) continue
    for (const key of keys) {
      const query = { kind: 'find-object', bucketId, key, blobsFor: 'all' } as const
      const found = await answerCatalogQuery(driver.rows, query)
      const expected = oracle.objects.get(`${bucketId}/${key}`)
      assert.deepEqual(found.version, expected?.version)
      assert.deepEqual(found.blobs, expected?.blobIds.map((blobId) => oracle.used.get(blobId)?.blob) ?? [])
    }
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

test('random commands, repeated and late ones among them, are answered as by plain maps, and no blob in use is lost', async () => {
  const outcomes = new Map<string, number>()
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const driver = new Driver(catalog)
    const twin = new Driver(catalog)
    const oracle = new CatalogOracle()
    const source = new CommandSource(new Seeded(seed), oracle)
    for (let step = 0; step < stepsPerRun; step += 1) {
      const command = source.next()
      const where = `SEED=${seed} step ${step}: ${JSON.stringify(command)}`
      const expected = oracle.apply(command)
      const { reply, mutations } = driver.apply(command)
      const shown = isErrorReply(reply) ? { refused: reply.error.code } : reply
      assert.deepEqual(shown, expected, where)
      assert.deepEqual(twin.apply(command).mutations, mutations, `${where}: replicas differ`)
      const outcome = isErrorReply(reply) ? reply.error.code : `${command.kind} done`
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (step % 20 === 0) await agree(driver, oracle).catch((error) => assert.fail(`${where}: ${error}`))
    }
    await agree(driver, oracle)
  }
  for (const outcome of [
    'VersionAbandoned',
    'PreconditionFailed',
    'BucketNotEmpty',
    'StaleBucket',
    'InvalidPart',
    'complete-upload done',
    'relocate-shard done',
  ]) {
    assert.ok((outcomes.get(outcome) ?? 0) > 0, `the runs reach ${outcome}: ${JSON.stringify([...outcomes])}`)
  }
})
