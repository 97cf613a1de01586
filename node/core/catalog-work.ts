/**
 * What background workers walk through: blobs for repair and census, garbage and fences for collection, buckets for
 * the numbers. Pages in the order of ids; ids are random, so a walk is spread evenly over everything.
 *
 * Read-only. What to do about an entry, and how fast, is the workers' business.
 */
import { prefixEnd } from './byte-order.ts'
import {
  type BucketRow,
  type FenceRow,
  type GarbageRow,
  rowFamilies,
  type ShardedBlobRow,
} from './catalog-rows.ts'
import { decodeRow } from './row-codec.ts'
import type { RowSource } from './rows.ts'

export interface WorkPage<T> {
  readonly entries: readonly T[]
  /** Pass as `after` for the next page; undefined: this was the last. */
  readonly next: string | undefined
}

/** `after`: exclusive, '' from the start. `limit`: at least 1. */
export interface WorkCursor {
  readonly after: string
  readonly limit: number
}

/** Sharded blobs that a version or part refers to, with the object they belong to. */
export function blobRows(
  source: Pick<RowSource, 'scan'>,
  cursor: WorkCursor,
): Promise<WorkPage<ShardedBlobRow>> {
  return walk<ShardedBlobRow, ShardedBlobRow>(
    source,
    { family: rowFamilies.shardedBlob, ...cursor },
    (_, row) => row,
  )
}

/** Dead blobs whose holders (index = shard index) have not all confirmed the deletion. */
export function garbageRows(
  source: Pick<RowSource, 'scan'>,
  cursor: WorkCursor,
): Promise<WorkPage<GarbageRow & { readonly blobId: string }>> {
  return walk(source, { family: rowFamilies.garbage, ...cursor }, (blobId, row: GarbageRow) => ({
    blobId,
    ...row,
  }))
}

/** Fences of dead blobs, empty versions and uploads, for forget-fences. */
export function fenceRows(
  source: Pick<RowSource, 'scan'>,
  cursor: WorkCursor,
): Promise<WorkPage<{ readonly id: string; readonly sinceMs: number }>> {
  return walk(source, { family: rowFamilies.fence, ...cursor }, (id, { sinceMs }: FenceRow) => ({
    id,
    sinceMs,
  }))
}

/** Buckets as this group knows them, dropped ones too. */
export function bucketRows(
  source: Pick<RowSource, 'scan'>,
  cursor: WorkCursor,
): Promise<WorkPage<BucketRow & { readonly bucketId: string }>> {
  return walk(source, { family: rowFamilies.bucket, ...cursor }, (bucketId, row: BucketRow) => ({
    bucketId,
    ...row,
  }))
}

async function walk<R extends object, T>(
  source: Pick<RowSource, 'scan'>,
  cursor: WorkCursor & { family: string },
  entryOf: (id: string, row: R) => T,
): Promise<WorkPage<T>> {
  const { family, after, limit } = cursor
  const entries: T[] = []
  let last = after
  const gte = after === '' ? family : `${family}${after}\u0000`
  for await (const row of source.scan({ gte, lt: prefixEnd(family), limit })) {
    last = row.key.slice(family.length)
    entries.push(entryOf(last, decodeRow<R>(row.value)))
  }
  return { entries, next: entries.length < limit ? undefined : last }
}
