/**
 * Commands and queries in a bucket, at the catalog groups that its keys belong to.
 *
 * Invariant: what a group refuses only because it knows less or more about the bucket than this gateway is settled here
 * and tried again, so that a change of a bucket that was left half-done heals with the next request: a bucket that is
 * closed is waited for and finally reopened, one that is gone is forgotten, a group with old write rules gets the new.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import type { VersioningState } from '../../node/core/bucket-configuration.ts'
import type {
  CatalogAnswers,
  CatalogCommand,
  CatalogQuery,
  CatalogReplies,
} from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { groupOf } from '../../node/core/slots.ts'
import { ClusterError } from '../../node/errors.ts'
import type { BucketDirectory } from './bucket-directory.ts'
import { noticeFor } from './notice.ts'
import type { CallContext } from './object-store.ts'

export const bucketCallLimits = {
  /** How long a write waits for a bucket whose deletion is under way before it ends the deletion. */
  closedBucketPatienceMs: 5_000,
  closedBucketPauseMs: 100,
} as const

type CommandOf<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>
type QueryOf<K extends CatalogQuery['kind']> = Extract<CatalogQuery, { kind: K }>

export class BucketCalls {
  readonly #cluster: ClusterClient
  readonly #directory: BucketDirectory

  constructor(cluster: ClusterClient, directory: BucketDirectory) {
    this.#cluster = cluster
    this.#directory = directory
  }

  /**
   * Commits a command in the group of `key`, once for every call, with the revision of the rules that this gateway
   * knows. Throws what the state machine refuses with.
   */
  propose<K extends CatalogCommand['kind']>(
    at: { bucket: Bucket; key: string },
    context: CallContext,
    command: CommandOf<K>,
  ): Promise<CatalogReplies[K]> {
    const rulesRevision = at.bucket.writeRules?.revision ?? 0
    const noticed = { ...command, ...noticeFor(command.kind, at, context) }
    const sent = rulesRevision === 0 ? noticed : { ...noticed, rulesRevision }
    return this.inBucket(at.bucket, context, () =>
      this.#cluster.router.proposeCatalog<K>(this.groupOf(at), commandId(context), sent),
    )
  }

  /** A linearizable read in the group of `key`. */
  query<K extends CatalogQuery['kind']>(
    at: { bucket: Bucket; key: string },
    context: CallContext,
    query: QueryOf<K>,
  ): Promise<CatalogAnswers[K]> {
    return this.inBucket(at.bucket, context, () =>
      this.#cluster.router.queryCatalog<K>(this.groupOf(at), query),
    )
  }

  /** The same read in every group. */
  queryAll<K extends CatalogQuery['kind']>(
    bucket: Bucket,
    context: CallContext,
    query: QueryOf<K>,
  ): Promise<CatalogAnswers[K][]> {
    return this.inBucket(bucket, context, () =>
      Promise.all(
        this.#cluster.catalogGroups().map((groupId) => this.#cluster.router.queryCatalog<K>(groupId, query)),
      ),
    )
  }

  /** The catalog group that decides about a key. */
  groupOf({ bucket, key }: { bucket: Bucket; key: string }): string {
    return groupOf(this.#cluster.map(), { bucketId: bucket.bucketId, key })
  }

  /** Runs commands or queries in a bucket; `run` is called again when what it met was settled. */
  async inBucket<T>(bucket: Bucket, context: CallContext, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#cluster
    const patienceEndsMs = clock.monotonicMs() + bucketCallLimits.closedBucketPatienceMs
    let reopened = false
    let taught = false
    for (;;) {
      try {
        return await run()
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error
        if (error.code === 'NoSuchBucket') this.#directory.forget(bucket.name)
        if (error.code === 'WriteRulesBehind' && !taught) {
          await this.#directory.teachRules(bucket, commandId(context))
          taught = true
          continue
        }
        if (error.code !== 'StaleBucket' || reopened) throw error
        this.#directory.forget(bucket.name)
        const current = await this.#directory.find(bucket.name)
        if (current?.bucketId !== bucket.bucketId) {
          throw new ClusterError('NoSuchBucket', `bucket ${bucket.name} was deleted`, { cause: error })
        }
        if (clock.monotonicMs() < patienceEndsMs) {
          await new Promise<void>((resolve) => {
            clock.after(bucketCallLimits.closedBucketPauseMs, resolve)
          })
        } else {
          await this.#directory.reopen(current, context.requestId)
          reopened = true
        }
      }
    }
  }
}

/** The state of versioning as this gateway knows it, which may be old: only the groups decide by it. */
export function versioningKnown(bucket: Bucket): VersioningState {
  return bucket.writeRules?.versioning ?? 'Off'
}

/** One S3 request may commit several commands (DeleteObjects): each is applied once under an id of its own. */
export function commandId(context: CallContext): string {
  return `${context.requestId}.${randomBytes(4).toString('hex')}`
}
