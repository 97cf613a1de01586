/**
 * A bucket within one catalog group: open, closed (empty, refuses writes), dropped (for good).
 *
 * Invariant: the counts are those of the rows, so closing knows that the group is empty without looking; a dropped
 * bucket never opens again, and only a closed one can be dropped. The registry decides which buckets exist and walks
 * all groups through these states.
 */
import { ClusterError } from '../errors.ts'
import { type BucketRow, rowKeys } from './catalog-rows.ts'
import type { RowChanges } from './row-changes.ts'

/** Opens a bucket that is new here or closed. Refuses with StaleBucket when it was dropped. */
export function openBucket(changes: RowChanges, { bucketId }: { bucketId: string }): Record<string, never> {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId))
  if (row?.state === 'dropped') throw stale(bucketId, row.state)
  if (row?.state !== 'open') {
    changes.put(rowKeys.bucket(bucketId), {
      objectCount: 0,
      uploadCount: 0,
      ...row,
      state: 'open',
    } satisfies BucketRow)
  }
  return {}
}

/**
 * Closes a bucket, also one that never opened here.
 * Refuses with BucketNotEmpty (details: objectCount, uploadCount), or StaleBucket when it was dropped.
 */
export function closeBucket(changes: RowChanges, { bucketId }: { bucketId: string }): Record<string, never> {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId)) ?? {
    state: 'open',
    objectCount: 0,
    uploadCount: 0,
  }
  if (row.state === 'dropped') throw stale(bucketId, row.state)
  const { objectCount, uploadCount } = row
  if (objectCount > 0 || uploadCount > 0) {
    throw new ClusterError('BucketNotEmpty', 'the bucket has objects or uploads', {
      details: { bucketId, objectCount, uploadCount },
    })
  }
  if (row.state === 'open')
    changes.put(rowKeys.bucket(bucketId), { ...row, state: 'closed' } satisfies BucketRow)
  return {}
}

/** Drops a closed bucket, or one that never opened here. Refuses with StaleBucket when it is open. */
export function dropBucket(changes: RowChanges, { bucketId }: { bucketId: string }): Record<string, never> {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId))
  if (row?.state === 'open') throw stale(bucketId, row.state)
  if (row?.state !== 'dropped') {
    changes.put(rowKeys.bucket(bucketId), {
      objectCount: 0,
      uploadCount: 0,
      ...row,
      state: 'dropped',
    } satisfies BucketRow)
  }
  return {}
}

/** Refuses unless objects may be written: NoSuchBucket, or StaleBucket when closed or dropped. */
export function requireOpen(changes: RowChanges, bucketId: string): void {
  const row = knownBucket(changes, bucketId)
  if (row.state !== 'open') throw stale(bucketId, row.state)
}

/** Keeps the counts when rows of objects or uploads come and go. */
export function countInBucket(
  changes: RowChanges,
  bucketId: string,
  delta: { objects?: number; uploads?: number },
): void {
  const row = knownBucket(changes, bucketId)
  changes.put(rowKeys.bucket(bucketId), {
    ...row,
    objectCount: row.objectCount + (delta.objects ?? 0),
    uploadCount: row.uploadCount + (delta.uploads ?? 0),
  } satisfies BucketRow)
}

/** What a read sees of a bucket row. Throws NoSuchBucket when it is unknown here, StaleBucket when it was dropped. */
export function requireReadable(row: BucketRow | undefined, bucketId: string): void {
  if (row === undefined) throw missing(bucketId)
  if (row.state === 'dropped') throw stale(bucketId, row.state)
}

function knownBucket(changes: RowChanges, bucketId: string): BucketRow {
  const row = changes.get<BucketRow>(rowKeys.bucket(bucketId))
  if (row === undefined) throw missing(bucketId)
  return row
}

function missing(bucketId: string): ClusterError {
  return new ClusterError('NoSuchBucket', 'this group does not know the bucket', { details: { bucketId } })
}

function stale(bucketId: string, state: BucketRow['state']): ClusterError {
  return new ClusterError('StaleBucket', `the bucket is ${state} in this group`, {
    details: { bucketId, state },
  })
}
