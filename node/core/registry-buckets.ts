/**
 * The bucket directory: which names are taken, by which incarnation, in which state.
 *
 * Invariants: a name has at most one bucket; the attempt rises with every change of state, which is what fences the
 * openings and closings in the catalog groups (decision 0181); a removed bucket's id never comes back.
 */
import { ClusterError } from '../errors.ts'
import { type BucketConfiguration, initialWriteRules, type WriteRules } from './bucket-configuration.ts'
import { canonicalJson } from './canonical-json.ts'
import type { ClusterMap } from './cluster-map.ts'
import { type BucketRow, type OwnerRow, registryKeys, registryLimits } from './registry-rows.ts'
import type { Bucket, RegistryCommand, RegistryReplies } from './registry-types.ts'
import type { RowChanges } from './row-changes.ts'
import { encodeRow } from './row-codec.ts'

type Command<K extends RegistryCommand['kind']> = Extract<RegistryCommand, { kind: K }>

/**
 * Takes a name. Repeating it is answered like the first time.
 * Refuses: BucketExists (details: ownerId, state, bucketId), StaleBucket (that bucket was removed), TooManyBuckets,
 * BadMessage (unknown pool, or not `creating`).
 */
export function reserveBucket(
  changes: RowChanges,
  { bucket }: Command<'reserve-bucket'>,
  map: ClusterMap,
): Record<string, never> {
  const { name, bucketId, ownerId } = bucket
  const existing = changes.get<BucketRow>(registryKeys.bucket(name))?.bucket
  if (existing?.bucketId === bucketId) return {}
  if (existing !== undefined) {
    const details = { ownerId: existing.ownerId, state: existing.state, bucketId: existing.bucketId }
    throw new ClusterError('BucketExists', `bucket ${name} exists`, { details })
  }
  if (changes.has(registryKeys.removed(bucketId))) throw stale(name, 'was removed')
  if (bucket.state !== 'creating') throw new ClusterError('BadMessage', 'a bucket begins as creating')
  if (!map.pools.some((pool) => pool.poolId === bucket.poolId)) {
    throw new ClusterError('BadMessage', `there is no pool ${bucket.poolId}`)
  }
  const owned = changes.get<OwnerRow>(registryKeys.owner(ownerId))?.buckets ?? 0
  if (owned >= registryLimits.bucketsPerOwnerMax) {
    const bucketsMax = registryLimits.bucketsPerOwnerMax
    throw new ClusterError('TooManyBuckets', `an owner has at most ${bucketsMax} buckets`, {
      details: { bucketsMax },
    })
  }
  changes.put(registryKeys.bucket(name), { bucket } satisfies BucketRow)
  changes.put(registryKeys.bucketOf(ownerId, name), {})
  changes.put(registryKeys.owner(ownerId), { buckets: owned + 1 } satisfies OwnerRow)
  return {}
}

/**
 * Moves a bucket to a state and returns the attempt that belongs to it. The attempt rises when the state changes; those
 * who ask for the state that it has already share the attempt and work side by side.
 * Refuses: NoSuchBucket, StaleBucket (another incarnation, or a state that is not in `from`; details: state).
 */
export function setBucketState(
  changes: RowChanges,
  command: Command<'set-bucket-state'>,
): RegistryReplies['set-bucket-state'] {
  const bucket = requireBucket(changes, command)
  if (!command.from.includes(bucket.state)) throw stale(bucket.name, `is ${bucket.state}`, bucket.state)
  if (bucket.state === command.to) return { attempt: bucket.attempt }
  const attempt = bucket.attempt + 1
  const moved: Bucket = { ...bucket, state: command.to, attempt }
  changes.put(registryKeys.bucket(bucket.name), { bucket: moved } satisfies BucketRow)
  return { attempt }
}

/**
 * Ends a bucket. Repeating it is answered like the first time.
 * Refuses: NoSuchBucket, StaleBucket (another incarnation, not `deleting`, or another attempt).
 */
export function removeBucket(changes: RowChanges, command: Command<'remove-bucket'>): Record<string, never> {
  if (changes.has(registryKeys.removed(command.bucketId))) return {}
  const { name, ownerId, bucketId, state, attempt } = requireBucket(changes, command)
  if (state !== 'deleting' || attempt !== command.attempt)
    throw stale(name, `is ${state} at attempt ${attempt}`, state)
  const owned = changes.get<OwnerRow>(registryKeys.owner(ownerId))?.buckets ?? 1
  changes.delete(registryKeys.bucket(name))
  changes.delete(registryKeys.bucketOf(ownerId, name))
  changes.put(registryKeys.owner(ownerId), { buckets: owned - 1 } satisfies OwnerRow)
  changes.put(registryKeys.removed(bucketId), {})
  return {}
}

/**
 * Changes the write rules; a change that leaves them as they are does not raise the revision, so it may be repeated.
 * Refuses: NoSuchBucket, StaleBucket (another incarnation), WriteRulesConflict.
 */
export function setWriteRules(
  changes: RowChanges,
  command: Command<'set-write-rules'>,
): RegistryReplies['set-write-rules'] {
  const bucket = requireBucket(changes, command)
  const before = bucket.writeRules ?? initialWriteRules
  const objectLock = command.change.objectLock ?? before.objectLock
  const versioning = command.change.versioning ?? (objectLock === undefined ? before.versioning : 'Enabled')
  if (objectLock !== undefined && versioning !== 'Enabled') {
    throw new ClusterError('WriteRulesConflict', 'versioning stays enabled in a bucket with Object Lock')
  }
  const after = { versioning, ...(objectLock === undefined ? {} : { objectLock }) }
  if (canonicalJson({ ...after, revision: before.revision }) === canonicalJson(before))
    return { rules: before }
  const rules: WriteRules = { revision: before.revision + 1, ...after }
  changes.put(registryKeys.bucket(bucket.name), {
    bucket: { ...bucket, writeRules: rules },
  } satisfies BucketRow)
  return { rules }
}

/** Sets and removes documents. Refuses: NoSuchBucket, StaleBucket (another incarnation), NoSpace. */
export function configureBucket(
  changes: RowChanges,
  command: Command<'configure-bucket'>,
): RegistryReplies['configure-bucket'] {
  const bucket = requireBucket(changes, command)
  const merged = Object.entries({ ...bucket.configuration, ...command.changes })
  const configuration: BucketConfiguration = Object.fromEntries(merged.filter(([, value]) => value !== null))
  const { configurationBytesMax } = registryLimits
  if (encodeRow(configuration).length > configurationBytesMax) {
    throw new ClusterError('NoSpace', 'the documents of the bucket are too large together', {
      details: { configurationBytesMax },
    })
  }
  changes.put(registryKeys.bucket(bucket.name), { bucket: { ...bucket, configuration } } satisfies BucketRow)
  return {}
}

function requireBucket(changes: RowChanges, { name, bucketId }: { name: string; bucketId: string }): Bucket {
  const bucket = changes.get<BucketRow>(registryKeys.bucket(name))?.bucket
  if (bucket === undefined) throw new ClusterError('NoSuchBucket', `there is no bucket ${name}`)
  if (bucket.bucketId !== bucketId) throw stale(name, 'is another incarnation', bucket.state)
  return bucket
}

function stale(name: string, what: string, state?: Bucket['state']): ClusterError {
  return new ClusterError('StaleBucket', `bucket ${name} ${what}`, {
    details: state === undefined ? {} : { state },
  })
}
