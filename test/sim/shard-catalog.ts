/**
 * One catalog group without Raft: the real state machine over rows in memory, behind the workers' interfaces.
 *
 * Tests may delay proposals, lose their answers and watch what is applied. Several "leaders" may share it.
 */

import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import { rowKeys, type ShardedBlobRow } from '../../node/core/catalog-rows.ts'
import type { CatalogCommand, CatalogReplies, ShardedBlob } from '../../node/core/catalog-types.ts'
import { blobRows, fenceRows, garbageRows } from '../../node/core/catalog-work.ts'
import { decodeRow } from '../../node/core/row-codec.ts'
import { unwrapReply } from '../../node/services/group-router.ts'
import type { CatalogAccess, CatalogGroup, CommandOf } from '../../node/services/shard-group.ts'
import { bucketId, del, openCatalog, put } from '../unit/catalog-fixture.ts'

export { bucketId } from '../unit/catalog-fixture.ts'

export class SimCatalog {
  readonly driver = openCatalog()
  /** Asked before (and again after) a command or query; may wait, or throw what the network throws. */
  onRequest: (when: 'before' | 'after', kind: string) => Promise<void> | void = () => undefined
  /** Told after a command was applied without an error. */
  onApplied: (command: CatalogCommand) => void = () => undefined
  #ids = 0
  readonly #written: { readonly key: string; readonly versionId: string }[] = []
  #versioned = false

  async propose<K extends CatalogCommand['kind']>(command: CommandOf<K>): Promise<CatalogReplies[K]> {
    await this.onRequest('before', command.kind)
    const reply = unwrapReply<CatalogReplies[K]>(this.driver.apply(command).reply)
    this.onApplied(command)
    await this.onRequest('after', command.kind)
    return reply
  }

  /** Commits an object whose body is this blob. */
  async commit(key: string, blob: ShardedBlob): Promise<void> {
    const versionId = this.#id()
    this.#written.push({ key, versionId })
    await this.propose(put(key, versionId, [blob.blobId], { make: () => blob }))
  }

  /** From now on what is overwritten stays. */
  enableVersioning(): void {
    this.#versioned = true
    this.driver.run({ kind: 'set-write-rules', bucketId, rules: { revision: 1, versioning: 'Enabled' } })
  }

  /** Deletes an object; in a versioned bucket makes a marker and removes about half of the versions of its key. */
  async delete(key: string, nowMs: number): Promise<void> {
    if (!this.#versioned) {
      await this.propose(del(key, { nowMs }))
      return
    }
    await this.propose(del(key, { nowMs, markerId: this.#id() }))
    const versions = this.#written.filter((each) => each.key === key).filter((_, at) => at % 2 === 0)
    for (const { versionId } of versions) {
      await this.propose({ kind: 'delete-version', bucketId, key, versionId, nowMs, conditions: {} })
    }
  }

  #id(): string {
    this.#ids += 1
    return this.#ids.toString(16).padStart(8, '0')
  }

  row(blobId: string): ShardedBlobRow | undefined {
    const row = this.driver.rows.get(rowKeys.shardedBlob(blobId))
    return row === undefined ? undefined : decodeRow<ShardedBlobRow>(row)
  }

  holders(blobId: string): readonly string[] {
    return this.row(blobId)?.blob.holders ?? []
  }

  async blobs(): Promise<readonly ShardedBlobRow[]> {
    return (await blobRows(this.driver.rows, { after: '', limit: 10_000 })).entries
  }

  /** `isLeader` decides for this one; several may be true at once, as with a deposed leader that does not know. */
  group(isLeader: () => boolean = () => true): CatalogGroup {
    const { rows } = this.driver
    return {
      groupId: 'catalog-1',
      isLeader,
      blobs: (cursor) => blobRows(rows, cursor),
      blob: (blobId) => this.row(blobId),
      garbage: (cursor) => garbageRows(rows, cursor),
      fences: (cursor) => fenceRows(rows, cursor),
      query: (query) => answerCatalogQuery(rows, query),
      propose: (command) => this.propose(command),
    }
  }

  readonly access: CatalogAccess = {
    findBlobs: async (_, blobIds) => {
      await this.onRequest('before', 'find-blobs')
      const { blobs } = await answerCatalogQuery(this.driver.rows, { kind: 'find-blobs', blobIds })
      await this.onRequest('after', 'find-blobs')
      return blobs
    },
    abandonBlobs: async (_, blobIds, nowMs) => {
      const { referenced } = await this.propose({ kind: 'abandon-blobs', blobIds, nowMs })
      return referenced
    },
  }
}
