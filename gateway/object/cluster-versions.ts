/**
 * Versions over the cluster: deleted for good, amended, listed; and objects deleted as their bucket's rules want it.
 *
 * Every command names the version that it means by its id, so that a repetition that comes late, after the object was
 * written anew, changes nothing. A name that stands for different versions at different times (none: the current one,
 * `null`: the null one) is looked up first. What may be removed or amended is the catalog's to decide.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { CatalogAnswers } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import { ClusterError } from '../../node/errors.ts'
import { newId } from './body-store.ts'
import { type BucketCalls, versioningKnown } from './bucket-calls.ts'
import {
  type AmendedVersion,
  type CallContext,
  type DeletedObject,
  isVersionId,
  type ObjectStore,
  type VersionAt,
} from './object-store.ts'

export const versionCallLimits = {
  /** A key that is written between look and change again and again: then the client is told of the conflict. */
  attemptsMax: 10,
} as const

export class ClusterVersions {
  readonly #cluster: ClusterClient
  readonly #calls: BucketCalls

  constructor(cluster: ClusterClient, calls: BucketCalls) {
    this.#cluster = cluster
    this.#calls = calls
  }

  /** Where versioning is off the deletion names what it found; elsewhere it destroys only a null version, once. */
  async deleteObject(
    del: Parameters<ObjectStore['deleteObject']>[0],
    context: CallContext,
  ): Promise<DeletedObject> {
    return this.#again(async () => {
      const found =
        versioningKnown(del.bucket) === 'Off'
          ? await this.#look({ ...del, versionId: undefined }, context)
          : undefined
      const off = found !== undefined && found.versioning === undefined
      if (off && found.version === undefined) {
        const { ifMatch, ifMatchBytes, ifMatchModifiedMs } = del.conditions
        if ((ifMatch ?? ifMatchBytes ?? ifMatchModifiedMs) === undefined)
          return { existed: false, marker: undefined }
        throw new ClusterError('NoSuchObject', 'a condition names an object and the key has none')
      }
      const { existed, marker } = await this.#calls.propose(del, context, {
        kind: 'delete-object',
        bucketId: del.bucket.bucketId,
        key: del.key,
        nowMs: this.#cluster.clock.wallMs(),
        conditions: del.conditions,
        markerId: newId(),
        ownerId: del.ownerId ?? del.bucket.ownerId,
        ...(off && found.version !== undefined ? { versionId: found.version.versionId } : {}),
      })
      return { existed, marker }
    })
  }

  async deleteVersion(del: Parameters<ObjectStore['deleteVersion']>[0], context: CallContext) {
    const versionId = await this.#idOf(del, context)
    if (versionId === undefined) return { existed: false, wasMarker: false }
    return this.#calls.propose(del, context, {
      kind: 'delete-version',
      bucketId: del.bucket.bucketId,
      key: del.key,
      versionId,
      nowMs: this.#cluster.clock.wallMs(),
      conditions: del.conditions,
      ...(del.bypassGovernance ? { bypassGovernance: true } : {}),
    })
  }

  async amend(
    amend: Parameters<ObjectStore['amendVersion']>[0],
    context: CallContext,
  ): Promise<AmendedVersion> {
    return this.#again(async () => {
      const { version, marker, versioning = 'Off' } = await this.#look(amend, context)
      if (version === undefined) throw missing(amend, marker !== undefined)
      await this.#calls.propose(amend, context, {
        kind: 'amend-version',
        bucketId: amend.bucket.bucketId,
        key: amend.key,
        versionId: version.versionId,
        change: amend.change,
        nowMs: this.#cluster.clock.wallMs(),
        amendId: newId(),
        ...(version.amendId === undefined ? {} : { afterAmendId: version.amendId }),
        ...(amend.bypassGovernance ? { bypassGovernance: true } : {}),
      })
      return { version, versioning }
    })
  }

  async list(list: Parameters<ObjectStore['listVersions']>[0], context: CallContext) {
    const { bucket, ...query } = list
    const pages = await this.#calls.queryAll(bucket, context, {
      kind: 'list-versions',
      bucketId: bucket.bucketId,
      ...query,
    })
    return mergePages(pages, list.limit)
  }

  #look(at: VersionAt, context: CallContext): Promise<CatalogAnswers['find-object']> {
    const { key, versionId } = at
    return this.#calls.query(at, context, {
      kind: 'find-object',
      bucketId: at.bucket.bucketId,
      key,
      blobsFor: 'none',
      ...(versionId === undefined ? {} : { versionId }),
    })
  }

  /** The internal id of the version that a client names; undefined: there is none. */
  async #idOf(at: VersionAt & { versionId: string }, context: CallContext): Promise<string | undefined> {
    if (!isVersionId(at.versionId)) return undefined
    if (at.versionId !== 'null') return at.versionId
    const { version, marker } = await this.#look(at, context)
    return (version ?? marker)?.versionId
  }

  /** Tries again while somebody else changes the same version in between. */
  async #again<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run()
      } catch (error) {
        const conflict = error instanceof ClusterError && error.code === 'ConditionalConflict'
        if (!conflict || attempt === versionCallLimits.attemptsMax) throw error
      }
    }
  }
}

function missing({ versionId }: VersionAt, isMarker: boolean): ClusterError {
  if (versionId === undefined) {
    return new ClusterError('NoSuchObject', 'the key has no object', { details: { deleteMarker: isMarker } })
  }
  if (isMarker) return new ClusterError('IsDeleteMarker', 'a delete marker carries nothing')
  return new ClusterError('NoSuchVersion', 'the key has no such version', { details: { versionId } })
}
