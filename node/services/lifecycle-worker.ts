/**
 * Lifecycle of one catalog group, on its leader: walks the buckets that have rules, and removes what is due.
 *
 * Invariant: acts by the agreed time only (decision 0125); every command names the version that was judged, so one that
 * comes late or twice, or races with a client, removes nothing else. Versions under retention or legal hold stay: the
 * catalog refuses, and a later round asks again. What a rule means is core/lifecycle.ts's.
 */
import type { LifecycleRule } from '../core/bucket-configuration.ts'
import type { CatalogAnswers, ListedVersion } from '../core/catalog-types.ts'
import {
  isUploadDue,
  type LifecycleAction,
  type LifecycleSubject,
  lifecycleActionOf,
} from '../core/lifecycle.ts'
import { noticeOf } from '../core/notification.ts'
import type { Bucket } from '../core/registry-types.ts'
import { ClusterError } from '../errors.ts'
import type { Clock, Random } from '../world.ts'
import type { CatalogGroup, QueryOf } from './shard-group.ts'
import type { ShardMetrics } from './shard-metrics.ts'

export const lifecycleLimits = {
  /** Versions or uploads read at once. */
  pageEntries: 500,
  /** Commands under way at once: expiry must not crowd out uploads. */
  commandsAtOnce: 4,
  /** Between two rounds: a twentieth of a rule's day, within these. AWS looks about once a day. */
  roundMsMin: 1_000,
  roundMsMax: 3_600_000,
  roundsPerDay: 20,
} as const

export interface LifecycleWorkerOptions {
  readonly group: CatalogGroup
  /** Wall time that most members agree on. */
  readonly clock: Clock
  readonly random: Random
  readonly metrics: ShardMetrics
  /** All buckets with their documents, by the registry; throws ClusterError when it does not answer. */
  readonly buckets: () => Promise<readonly Bucket[]>
  /** How long a day of a rule is, ms; only tests shorten it. */
  readonly dayMs: number
  readonly log?: ((message: string, details: Readonly<Record<string, unknown>>) => void) | undefined
}

/** As AWS names its own doing. */
const lifecycleEvents = {
  removed: 'LifecycleExpiration:Delete',
  marked: 'LifecycleExpiration:DeleteMarkerCreated',
  principalId: 's3.amazonaws.com',
  sourceIp: 's3.amazonaws.com',
  requestId: 'lifecycle',
} as const

const everything = { prefix: '', delimiter: '', limit: lifecycleLimits.pageEntries } as const

/** What the walk knows of the key that it is in the middle of. */
interface Walk {
  key: string
  newerNoncurrent: number
  /** When the entry before, the newer one, was made; minus infinity: there is none that the next could follow. */
  newerMs: number
}

export class LifecycleWorker {
  readonly #options: LifecycleWorkerOptions
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(options: LifecycleWorkerOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, dayMs } = this.#options
    const { roundMsMin, roundMsMax, roundsPerDay } = lifecycleLimits
    const roundMs = Math.min(Math.max(dayMs / roundsPerDay, roundMsMin), roundMsMax)
    this.#cancel = clock.after(roundMs, () => {
      this.round()
        .catch((error: unknown) => {
          if (!(error instanceof ClusterError)) throw error
          // An operating error ends this round; the next one begins anew.
          this.#options.log?.('a lifecycle round ended early', { code: error.code, message: error.message })
        })
        .finally(() => {
          if (!this.#stopped) this.start()
        })
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  /** One walk over all buckets with rules, as far as they lie in this group. */
  async round(): Promise<void> {
    const { group, metrics, clock } = this.#options
    if (!group.isLeader()) return
    for (const bucket of await this.#options.buckets()) {
      const rules = (bucket.configuration?.lifecycle ?? []).filter((rule) => rule.enabled)
      if (rules.length === 0) continue
      await this.#walkVersions(bucket, rules)
      await this.#walkUploads(bucket, rules)
      if (!group.isLeader()) return
    }
    metrics.set('bundescloud_lifecycle_last_end_seconds', clock.wallMs() / 1_000)
  }

  async #walkVersions(bucket: Bucket, rules: readonly LifecycleRule[]): Promise<void> {
    const { group } = this.#options
    const { bucketId } = bucket
    const walk: Walk = { key: '', newerNoncurrent: 0, newerMs: Number.NEGATIVE_INFINITY }
    let after = { afterKey: '', afterVersionId: '' }
    let held: ListedVersion | undefined
    for (let more = true; more && group.isLeader(); ) {
      const page = await this.#page({ kind: 'list-versions', bucketId, ...everything, ...after })
      if (page === undefined) return
      // The last entry waits for the next page, which may show that its key has more.
      const entries = held === undefined ? page.items : [held, ...page.items]
      held = page.truncated ? entries.at(-1) : undefined
      const judged = held === undefined ? entries : entries.slice(0, -1)
      const due = judged.flatMap((entry, at) => {
        const subject = subjectOf(entry, entries[at + 1], walk)
        const action = subject && lifecycleActionOf(rules, subject, this.#time())
        return action === undefined ? [] : [{ entry, action }]
      })
      await this.#inTurns(due, ({ entry, action }) => this.#remove(bucket, entry, action))
      after = { afterKey: held?.key ?? '', afterVersionId: held?.versionId ?? '' }
      more = held !== undefined
    }
  }

  async #walkUploads(bucket: Bucket, rules: readonly LifecycleRule[]): Promise<void> {
    const { group } = this.#options
    const { bucketId } = bucket
    let after = { afterKey: '', afterUploadId: '' }
    for (let more = true; more && group.isLeader(); ) {
      const page = await this.#page({ kind: 'list-uploads', bucketId, ...everything, ...after })
      if (page === undefined) return
      const due = page.items.filter((upload) => isUploadDue(rules, upload, this.#time()))
      await this.#inTurns(due, ({ key, uploadId }) =>
        this.#propose('upload', () => group.propose({ kind: 'abort-upload', bucketId, key, uploadId })),
      )
      const last = page.items.at(-1)
      after = { afterKey: last?.key ?? '', afterUploadId: last?.uploadId ?? '' }
      more = page.truncated && last !== undefined
    }
  }

  /** One page of a bucket; undefined when this group does not know the bucket, or it is being deleted. */
  async #page<K extends 'list-versions' | 'list-uploads'>(
    query: QueryOf<K>,
  ): Promise<CatalogAnswers[K] | undefined> {
    try {
      return await this.#options.group.query(query)
    } catch (error) {
      const gone = error instanceof ClusterError && ['NoSuchBucket', 'StaleBucket'].includes(error.code)
      if (!gone) throw error
      return undefined
    }
  }

  #remove(bucket: Bucket, entry: ListedVersion, { action }: LifecycleAction): Promise<void> {
    const { group, random } = this.#options
    const { bucketId, ownerId, writeRules } = bucket
    const { key, versionId } = entry
    const nowMs = Math.floor(this.#time().nowMs)
    const notice = noticeOf(bucket, key, lifecycleEvents)
    const common = {
      bucketId,
      key,
      versionId,
      nowMs,
      conditions: {},
      ...(notice === undefined ? {} : { notice }),
    }
    if (action === 'remove') {
      return this.#propose(entry.kind, () => group.propose({ kind: 'delete-version', ...common }))
    }
    const rulesRevision = writeRules === undefined ? {} : { rulesRevision: writeRules.revision }
    const marker = { markerId: random.hex(16), ownerId, ...rulesRevision }
    return this.#propose('current', () => group.propose({ kind: 'delete-object', ...common, ...marker }))
  }

  /** Counts the outcome. A refusal concerns this one entry; what ends the round is thrown. */
  async #propose(what: 'current' | 'version' | 'marker' | 'upload', run: () => Promise<unknown>) {
    const { metrics } = this.#options
    try {
      await run()
      metrics.add('bundescloud_lifecycle_removed_total', 1, what)
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.code === 'WormProtected') metrics.add('bundescloud_lifecycle_protected_total', 1)
      else if (error.retryable && error.code !== 'ConditionalConflict') throw error
    }
  }

  #time() {
    return { nowMs: this.#options.clock.wallMs(), dayMs: this.#options.dayMs }
  }

  async #inTurns<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
    const { commandsAtOnce } = lifecycleLimits
    for (let at = 0; at < items.length; at += commandsAtOnce) {
      await Promise.all(items.slice(at, at + commandsAtOnce).map(run))
    }
  }
}

/**
 * Where `entry` stands; entries come newest first within a key. Moves `walk` on. Undefined: the entry does not continue
 * what was seen of its key (the list began again because somebody removed a version): judged by a later round.
 */
function subjectOf(
  entry: ListedVersion,
  next: ListedVersion | undefined,
  walk: Walk,
): LifecycleSubject | undefined {
  const { kind, key, modifiedMs, isLatest } = entry
  const continues = !isLatest && walk.key === key && modifiedMs < walk.newerMs
  const newer = { ms: walk.newerMs, noncurrent: walk.newerNoncurrent }
  walk.key = key
  walk.newerMs = modifiedMs
  walk.newerNoncurrent = continues ? newer.noncurrent + (kind === 'version' ? 1 : 0) : 0
  if (!isLatest && !continues) {
    walk.newerMs = Number.NEGATIVE_INFINITY
    return undefined
  }
  return {
    kind,
    key,
    modifiedMs,
    bytes: kind === 'version' ? entry.bytes : 0,
    tags: kind === 'version' ? (entry.tags ?? {}) : {},
    noncurrentSinceMs: continues ? newer.ms : undefined,
    newerNoncurrent: continues ? newer.noncurrent : 0,
    alone: isLatest && next?.key !== key,
  }
}
