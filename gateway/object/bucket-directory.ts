/**
 * The bucket directory as a gateway sees it: finds, creates and deletes buckets.
 *
 * A bucket lives in the registry (name, owner, key) and, as an open row, in every catalog group, which alone decides
 * whether objects may be written. So the cache here may be stale without harm: a group that does not know the
 * bucket's id says NoSuchBucket or StaleBucket, and `forget` makes the next look-up ask the registry.
 *
 * Creating: reserve (creating) -> open in every group -> active. Deleting: deleting -> close in every group, which
 * refuses while objects or uploads exist; uploads alone are aborted -> remove. Every change of state in the registry raises the bucket's attempt, and groups
 * refuse an opening or closing of an older attempt: so a gateway that was paused in the middle cannot open a bucket
 * that another has deleted meanwhile, and an object acknowledged after a reopening cannot vanish with the bucket.
 * Closed rows stay in the groups for good, as fences.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import type {
  BucketConfiguration,
  ConfigurationChanges,
  WriteRules,
} from '../../node/core/bucket-configuration.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { Kms } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'

export const bucketLimits = {
  /** Buckets remembered; a federation has thousands, not millions. */
  cachedMax: 10_000,
  /** After so long the registry is asked again, so that a changed owner or state is seen. */
  cachedMs: 10_000,
  /** Uploads aborted at a time when a bucket is deleted. */
  uploadsPage: 100,
  /** Tries to close a bucket whose uploads go on appearing while it is deleted. */
  closingsMax: 3,
} as const

const DEFAULT_POOL = 'default'

/** A bucket to be created. */
export interface NewBucket {
  readonly name: string
  readonly ownerId: string
  readonly writeRules?: WriteRules
  readonly configuration?: BucketConfiguration
}

export class BucketDirectory {
  readonly #cluster: ClusterClient
  readonly #kms: Kms
  readonly #cache = new ExpiringCache<string, Bucket>(bucketLimits.cachedMax, bucketLimits.cachedMs)

  constructor(cluster: ClusterClient, kms: Kms) {
    this.#cluster = cluster
    this.#kms = kms
  }

  /** The bucket if it exists; half-created ones do not, half-deleted ones do until they are gone. */
  async find(name: string): Promise<Bucket | undefined> {
    const cached = this.#cache.get(name)
    if (cached !== undefined) return cached
    const bucket = await this.#ask(name)
    if (bucket === undefined || bucket.state === 'creating') return undefined
    this.#cache.set(name, bucket)
    return bucket
  }

  forget(name: string): void {
    this.#cache.delete(name)
  }

  /** Throws BucketExists with `{ ownerId }` in its details. */
  async create(bucket: NewBucket, requestId: string): Promise<Bucket> {
    const existing = await this.#ask(bucket.name)
    if (existing !== undefined && existing.state !== 'creating') throw exists(existing)
    if (existing !== undefined && existing.ownerId !== bucket.ownerId) throw exists(existing)
    const created = existing ?? (await this.#reserve(bucket, requestId))
    const attempt = await this.#setState(created, { from: ['creating'], to: 'creating' }, requestId)
    await this.#open({ ...created, attempt }, requestId)
    if (created.writeRules !== undefined) await this.#pushRules(created, created.writeRules, requestId)
    await this.#setState(created, { from: ['creating', 'active'], to: 'active' }, requestId)
    const active: Bucket = { ...created, state: 'active' }
    this.#cache.set(active.name, active)
    return active
  }

  /**
   * Deletes a bucket without objects. Uploads under way do not keep it, as AWS documents it for all but directory
   * buckets: they are aborted when no group has an object. Throws BucketNotEmpty (the bucket stays as it was) or
   * NoSuchBucket.
   */
  async remove(bucket: Bucket, requestId: string): Promise<void> {
    this.forget(bucket.name)
    const attempt = await this.#setState(bucket, { from: ['active', 'deleting'], to: 'deleting' }, requestId)
    const { bucketId, name } = bucket
    try {
      await this.#close({ bucketId, attempt }, requestId)
    } catch (error) {
      await this.reopen(bucket, requestId)
      throw error
    }
    await this.#cluster.router.proposeRegistry(`${requestId}-remove`, {
      kind: 'remove-bucket',
      name,
      bucketId,
      attempt,
    })
  }

  /**
   * Ends a deletion that is under way, ours or that of a gateway that died: the bucket is active again and open
   * in every group. Does nothing when it is gone.
   */
  async reopen(bucket: Bucket, requestId: string): Promise<void> {
    this.forget(bucket.name)
    const attempt = await this.#setState(
      bucket,
      { from: ['deleting', 'active'], to: 'active' },
      `${requestId}-again`,
    )
    await this.#open({ ...bucket, attempt }, `${requestId}-again`)
  }

  /**
   * Changes the write rules: first in the registry, which counts their revision, then in every group. When a group
   * cannot be reached the call throws; the group learns the rules with the next write, which names the revision.
   * Throws NoSuchBucket, WriteRulesConflict.
   */
  async setWriteRules(bucket: Bucket, change: WriteRulesChange, requestId: string): Promise<void> {
    const { name, bucketId } = bucket
    try {
      const { rules } = await this.#cluster.router.proposeRegistry(`${requestId}-rules`, {
        kind: 'set-write-rules',
        name,
        bucketId,
        change,
      })
      await this.#pushRules(bucket, rules, requestId)
    } finally {
      this.forget(name)
    }
  }

  /**
   * Gives the groups the rules that a bucket has in this gateway's eyes: a change of them was left half-done. Groups
   * that know newer ones keep those.
   */
  async teachRules(bucket: Bucket, requestId: string): Promise<void> {
    if (bucket.writeRules !== undefined) await this.#pushRules(bucket, bucket.writeRules, requestId)
  }

  /** Sets and removes configuration documents. Throws NoSuchBucket, NoSpace. */
  async configure(bucket: Bucket, changes: ConfigurationChanges, requestId: string): Promise<void> {
    const { name, bucketId } = bucket
    try {
      await this.#cluster.router.proposeRegistry(`${requestId}-configure`, {
        kind: 'configure-bucket',
        name,
        bucketId,
        changes,
      })
    } finally {
      this.forget(name)
    }
  }

  async list(query: { ownerId: string; after: string; limit: number }) {
    const { buckets, truncated } = await this.#cluster.router.queryRegistry({ kind: 'buckets', ...query })
    return { buckets: buckets.filter((bucket) => bucket.state !== 'creating'), truncated }
  }

  async #ask(name: string): Promise<Bucket | undefined> {
    const { bucket } = await this.#cluster.router.queryRegistry({ kind: 'bucket', name })
    return bucket
  }

  async #reserve(bucket: NewBucket, requestId: string): Promise<Bucket> {
    const bucketId = randomBytes(16).toString('hex')
    const reserved: Bucket = {
      ...bucket,
      bucketId,
      createdMs: Date.now(),
      poolId: DEFAULT_POOL,
      wrappedKey: await this.#kms.wrap(randomBytes(32), bucketKeyContext(bucketId)),
      state: 'creating',
      attempt: 0,
    }
    await this.#cluster.router.proposeRegistry(`${requestId}-reserve`, {
      kind: 'reserve-bucket',
      bucket: reserved,
    })
    return reserved
  }

  async #setState(
    bucket: Bucket,
    change: { from: readonly Bucket['state'][]; to: Bucket['state'] },
    requestId: string,
  ): Promise<number> {
    const { attempt } = await this.#cluster.router.proposeRegistry(`${requestId}-${change.to}`, {
      kind: 'set-bucket-state',
      name: bucket.name,
      bucketId: bucket.bucketId,
      ...change,
    })
    return attempt
  }

  async #open(bucket: Bucket, requestId: string): Promise<void> {
    const { bucketId, attempt } = bucket
    await this.#inEveryGroup((groupId) =>
      this.#cluster.router.proposeCatalog(groupId, `${requestId}-open-${groupId}`, {
        kind: 'open-bucket',
        bucketId,
        attempt,
      }),
    )
  }

  /** Closes it in every group. Throws BucketNotEmpty when one has an object. */
  async #close(bucket: Pick<Bucket, 'bucketId' | 'attempt'>, requestId: string): Promise<void> {
    for (let closing = 1; ; closing += 1) {
      const errors = await this.#errorsOfGroups((groupId) =>
        this.#cluster.router.proposeCatalog(groupId, `${requestId}-close-${closing}-${groupId}`, {
          kind: 'close-bucket',
          ...bucket,
        }),
      )
      if (errors.length === 0) return
      if (closing === bucketLimits.closingsMax || !errors.every(hasOnlyUploads)) throw worstOf(errors)
      await this.#inEveryGroup((groupId) => this.#abortUploads(groupId, bucket.bucketId, requestId))
    }
  }

  /** Aborts every upload that a group has of a bucket; nothing in a group that is closed already. */
  async #abortUploads(groupId: string, bucketId: string, requestId: string): Promise<void> {
    const { router } = this.#cluster
    const query = {
      kind: 'list-uploads',
      bucketId,
      prefix: '',
      delimiter: '',
      afterKey: '',
      afterUploadId: '',
    } as const
    for (let more = true; more; ) {
      const page = await router
        .queryCatalog(groupId, { ...query, limit: bucketLimits.uploadsPage })
        .catch((error: unknown) => {
          if (error instanceof ClusterError && error.code === 'StaleBucket') return undefined
          throw error
        })
      for (const { key, uploadId } of page?.items ?? []) {
        const command = { kind: 'abort-upload', bucketId, key, uploadId } as const
        await router.proposeCatalog(groupId, `${requestId}-abort-${uploadId}`, command)
      }
      more = page?.truncated ?? false
    }
  }

  async #pushRules(bucket: Bucket, rules: WriteRules, requestId: string): Promise<void> {
    const { bucketId } = bucket
    await this.#inEveryGroup((groupId) =>
      this.#cluster.router.proposeCatalog(groupId, `${requestId}-rules-${groupId}`, {
        kind: 'set-write-rules',
        bucketId,
        rules,
      }),
    )
  }

  /** All groups, side by side; waits for every one before it throws, so that nothing goes on behind the caller's back. */
  async #inEveryGroup(run: (groupId: string) => Promise<unknown>): Promise<void> {
    const errors = await this.#errorsOfGroups(run)
    if (errors.length > 0) throw worstOf(errors)
  }

  async #errorsOfGroups(run: (groupId: string) => Promise<unknown>): Promise<unknown[]> {
    const outcomes = await Promise.allSettled(this.#cluster.catalogGroups().map(run))
    return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  }
}

/** Of several groups' errors the one that the caller can do something about. */
function worstOf(errors: readonly unknown[]): unknown {
  return errors.find((error) => error instanceof ClusterError && error.code === 'BucketNotEmpty') ?? errors[0]
}

function hasOnlyUploads(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'BucketNotEmpty' && error.details.objectCount === 0
}

/** Binds a wrapped bucket key to its bucket. */
export function bucketKeyContext(bucketId: string): string {
  return `bucket/${bucketId}`
}

function exists(bucket: Bucket): ClusterError {
  return new ClusterError('BucketExists', `bucket ${bucket.name} exists`, {
    details: { ownerId: bucket.ownerId },
  })
}
