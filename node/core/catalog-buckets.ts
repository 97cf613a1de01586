/**
 * A bucket within one catalog group: open, or closed (empty; neither read nor written).
 *
 * Invariants: the counts are those of the rows, so closing knows that the group is empty without looking; the attempt
 * of a row never falls, so an opening or closing that comes late changes nothing (decision 0181). Closed rows stay for
 * good. The registry decides which buckets exist and counts the attempts.
 *
 * Reads are refused too when a bucket is closed: a gateway that still has a deleted bucket's id in its cache must look
 * the name up again, not report that the objects of the bucket's successor do not exist.
 */
import { ClusterError } from '../errors.ts'
import { initialWriteRules, type WriteRules } from './bucket-configuration.ts'
import { type BucketRow, rowKeys } from './catalog-rows.ts'
import type { DecodedRows, RowChanges } from './row-changes.ts'

interface BucketChange {
  readonly bucketId: string
  readonly attempt: number
}

/** Opens a bucket that is new here or closed. Refuses with StaleBucket (details: state, attempt) when the attempt is old. */
export function openBucket(changes: RowChanges, { bucketId, attempt }: BucketChange): Record<string, never> {
  const row = bucketAt(changes, { bucketId, attempt })
  changes.put(rowKeys.bucket(bucketId), { ...row, state: 'open', attempt } satisfies BucketRow)
  return {}
}

/**
 * Closes a bucket, also one that never opened here.
 * Refuses with BucketNotEmpty (details: objectCount, uploadCount, versionCount), or StaleBucket when the attempt is old.
 */
export function closeBucket(changes: RowChanges, { bucketId, attempt }: BucketChange): Record<string, never> {
  const row = bucketAt(changes, { bucketId, attempt })
  const { objectCount, uploadCount, versionCount = 0 } = row
  if (objectCount > 0 || uploadCount > 0 || versionCount > 0) {
    throw new ClusterError('BucketNotEmpty', 'the bucket has objects, versions or uploads', {
      details: { bucketId, objectCount, uploadCount, versionCount },
    })
  }
  changes.put(rowKeys.bucket(bucketId), { ...row, state: 'closed', attempt } satisfies BucketRow)
  return {}
}

/**
 * Takes over rules of a higher revision; older ones change nothing. A closed bucket takes them, too: it may be opened
 * again. Refuses: NoSuchBucket (unknown to this group), WriteRulesConflict when versioning would be off again or Object
 * Lock lost, which the registry never asks for: a faulty gateway cannot end it either.
 */
export function setBucketRules(
  changes: RowChanges,
  { bucketId, rules }: { readonly bucketId: string; readonly rules: WriteRules },
): Record<string, never> {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId))
  if (row === undefined) throw unknown(bucketId)
  const before = row.rules ?? initialWriteRules
  if (rules.revision > before.revision) {
    const off = before.versioning !== 'Off' && rules.versioning === 'Off'
    const locked = (before.objectLock ?? rules.objectLock) !== undefined
    if (off || (locked && (rules.objectLock === undefined || rules.versioning !== 'Enabled'))) {
      throw new ClusterError('WriteRulesConflict', 'versioning and Object Lock stay once they are on', {
        details: { bucketId, revision: before.revision },
      })
    }
    changes.put(rowKeys.bucket(bucketId), { ...row, rules } satisfies BucketRow)
  }
  return {}
}

/** Refuses with NoSuchBucket when the bucket is unknown here, with StaleBucket when it is closed. */
export function requireOpen(row: BucketRow | undefined, bucketId: string): BucketRow {
  if (row === undefined) throw unknown(bucketId)
  if (row.state !== 'open') throw stale(bucketId, row)
  return row
}

/** `requireOpen` for commands. */
export function requireOpenBucket(changes: RowChanges, bucketId: string): BucketRow {
  return requireOpen(changes.get<BucketRow>(rowKeys.bucket(bucketId)), bucketId)
}

/** The rules of a bucket as this group knows them, open or not. */
export function rulesOf(rows: DecodedRows, bucketId: string): WriteRules {
  return rows.get<BucketRow>(rowKeys.bucket(bucketId))?.rules ?? initialWriteRules
}

/**
 * The rules for a command in an open bucket. Refuses as `requireOpen`, and with WriteRulesBehind (details: revision)
 * when the gateway knows newer ones: the group must have them before it decides by them.
 */
export function requireRules(
  changes: RowChanges,
  { bucketId, rulesRevision = 0 }: { readonly bucketId: string; readonly rulesRevision?: number },
): WriteRules {
  const rules = requireOpenBucket(changes, bucketId).rules ?? initialWriteRules
  if (rules.revision >= rulesRevision) return rules
  throw new ClusterError('WriteRulesBehind', 'this group has older write rules than the gateway', {
    details: { bucketId, revision: rules.revision },
  })
}

/** Keeps the counts when rows come and go. `versions`: delete markers and what is noncurrent; `bytes`: of versions and parts. */
export function countInBucket(
  changes: RowChanges,
  bucketId: string,
  delta: { objects?: number; uploads?: number; versions?: number; bytes?: number },
): void {
  const { objects = 0, uploads = 0, versions = 0, bytes = 0 } = delta
  if (objects === 0 && uploads === 0 && versions === 0 && bytes === 0) return
  const row = requireOpenBucket(changes, bucketId)
  changes.put(rowKeys.bucket(bucketId), {
    ...row,
    objectCount: row.objectCount + objects,
    uploadCount: row.uploadCount + uploads,
    ...(versions === 0 ? {} : { versionCount: (row.versionCount ?? 0) + versions }),
    // What is removed may have been written before bytes were counted.
    ...(bytes === 0 ? {} : { storedBytes: Math.max(0, (row.storedBytes ?? 0) + bytes) }),
  } satisfies BucketRow)
}

/** The row, or that of a bucket which is new here. Throws StaleBucket when it has seen a higher attempt. */
function bucketAt(changes: RowChanges, { bucketId, attempt }: BucketChange): BucketRow {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId))
  if (row === undefined) return { state: 'closed', attempt, objectCount: 0, uploadCount: 0 }
  if (row.attempt > attempt) throw stale(bucketId, row)
  return row
}

function unknown(bucketId: string): ClusterError {
  return new ClusterError('NoSuchBucket', 'this group does not know the bucket', { details: { bucketId } })
}

function stale(bucketId: string, { state, attempt }: BucketRow): ClusterError {
  return new ClusterError('StaleBucket', `the bucket is ${state} in this group since attempt ${attempt}`, {
    details: { bucketId, state, attempt },
  })
}
