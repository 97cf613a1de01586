/**
 * The current version of a key: written, replaced, deleted, under conditions.
 *
 * Invariants: replacing or deleting a version releases every blob of it in the same command; `modifiedMs` rises with
 * every version of a key; a command that is repeated is answered like the first time and changes nothing, also when
 * the version that it wrote has been replaced since.
 *
 * Conditions as S3 has them: RFC 9110 section 13.1, and AWS's 404 for If-Match on a key that does not exist.
 */
import { ClusterError } from '../errors.ts'
import { adoptBlob, releaseBlob } from './catalog-blobs.ts'
import { countInBucket, requireOpenBucket } from './catalog-buckets.ts'
import { catalogLimits, type ExtentsRow, type FenceRow, type ObjectRow, rowKeys } from './catalog-rows.ts'
import type { CatalogCommand, CatalogReplies, Extent, Version, WriteConditions } from './catalog-types.ts'
import { invariant } from './invariant.ts'
import type { RowChanges } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { RowReader } from './rows.ts'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/**
 * Makes a version the current one.
 * Refuses: NoSuchBucket, StaleBucket, PreconditionFailed, NoSuchObject, VersionAbandoned.
 */
export function putVersion(
  changes: RowChanges,
  command: Command<'put-version'>,
): CatalogReplies['put-version'] {
  const { bucketId, version, blobs, conditions } = command
  const before = answeredBefore(changes, bucketId, version)
  if (before !== undefined) return before
  requireOpenBucket(changes, bucketId)
  const current = changes.get<ObjectRow>(rowKeys.object(bucketId, version.key))
  requireConditions(current, conditions)
  for (const blob of blobs) adoptBlob(changes, blob, { bucketId, key: version.key })
  return installVersion(changes, bucketId, version)
}

/**
 * Deletes the current version; `existed: false` when there is none.
 * Refuses: NoSuchBucket, StaleBucket, PreconditionFailed, NoSuchObject (If-Match on a missing key), and
 * ConditionalConflict when another version than the one named is current (details: versionId).
 */
export function deleteObject(
  changes: RowChanges,
  command: Command<'delete-object'>,
): CatalogReplies['delete-object'] {
  const { bucketId, key, conditions, nowMs } = command
  requireOpenBucket(changes, bucketId)
  const rowKey = rowKeys.object(bucketId, key)
  const current = changes.get<ObjectRow>(rowKey)
  if (
    current !== undefined &&
    command.versionId !== undefined &&
    current.version.versionId !== command.versionId
  ) {
    throw new ClusterError('ConditionalConflict', 'another version is current', {
      details: { versionId: current.version.versionId },
    })
  }
  requireConditions(current, conditions)
  if (current === undefined) return { existed: false }
  endVersion(changes, current, nowMs)
  changes.delete(rowKey)
  countInBucket(changes, bucketId, { objects: -1 })
  return { existed: true }
}

/**
 * Writes the object row of a version whose blobs have been adopted, and ends the version it replaces.
 * The caller has checked bucket and conditions.
 */
export function installVersion(
  changes: RowChanges,
  bucketId: string,
  version: Version,
): CatalogReplies['put-version'] {
  const rowKey = rowKeys.object(bucketId, version.key)
  const current = changes.get<ObjectRow>(rowKey)
  const modifiedMs = Math.max(version.modifiedMs, (current?.version.modifiedMs ?? -1) + 1)
  const replaced = current !== undefined
  if (replaced) endVersion(changes, current, modifiedMs)
  else countInBucket(changes, bucketId, { objects: 1 })
  const extentsApart = version.extents.length > catalogLimits.extentsInRowMax
  if (extentsApart) {
    if (changes.has(rowKeys.extents(version.versionId))) {
      throw new ClusterError('VersionAbandoned', 'a version id is given once', {
        details: { versionId: version.versionId },
      })
    }
    changes.put(rowKeys.extents(version.versionId), { extents: version.extents } satisfies ExtentsRow)
  }
  const stored = { ...version, modifiedMs, ...(extentsApart ? { extents: [] } : {}) }
  changes.put(rowKey, { version: stored, extentsApart, replaced } satisfies ObjectRow)
  return { versionId: version.versionId, modifiedMs, replaced }
}

/** Throws PreconditionFailed, or NoSuchObject for If-Match on a key without version. ETags compare as opaque text. */
export function requireConditions(current: ObjectRow | undefined, conditions: WriteConditions): void {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifMatch !== undefined && current === undefined) {
    throw new ClusterError('NoSuchObject', 'If-Match names a version and the key has none')
  }
  const etag = current?.version.etag
  const mismatch = ifMatch !== undefined && ifMatch !== '*' && ifMatch !== etag
  if (mismatch || (ifNoneMatch !== undefined && current !== undefined)) {
    const condition = mismatch ? 'If-Match' : 'If-None-Match'
    throw new ClusterError('PreconditionFailed', `${condition} does not hold`, { details: { condition } })
  }
}

/** The version of an object row with its extents, wherever they lie. */
export function wholeVersion(rows: RowReader, row: ObjectRow): Version {
  if (!row.extentsApart) return row.version
  const bytes = rows.get(rowKeys.extents(row.version.versionId))
  invariant(bytes !== undefined, `version ${row.version.versionId} has its extents row`)
  return { ...row.version, extents: decodeRow<ExtentsRow>(bytes).extents }
}

/** Releases all that a version has. Its first fence remembers the answer that its put-version got. */
function endVersion(changes: RowChanges, row: ObjectRow, nowMs: number): void {
  const { versionId, modifiedMs } = row.version
  const sinceMs = Math.max(nowMs, modifiedMs)
  const ended = { versionId, modifiedMs, replaced: row.replaced }
  let extents: readonly Extent[] = row.version.extents
  if (row.extentsApart) {
    const apart = changes.get<ExtentsRow>(rowKeys.extents(versionId))
    invariant(apart !== undefined, `version ${versionId} has its extents row`)
    extents = apart.extents
    changes.delete(rowKeys.extents(versionId))
  }
  const stored = extents.filter((extent) => extent.blobId !== '')
  if (stored.length === 0) changes.put(rowKeys.fence(versionId), { sinceMs, ended } satisfies FenceRow)
  stored.forEach(({ blobId }, at) => {
    releaseBlob(changes, blobId, at === 0 ? { sinceMs, ended } : { sinceMs })
  })
}

/** The answer that this very put-version got, if it was applied before: its version is current, or it has ended. */
function answeredBefore(
  changes: RowChanges,
  bucketId: string,
  version: Version,
): CatalogReplies['put-version'] | undefined {
  const { versionId, key, extents } = version
  const current = changes.get<ObjectRow>(rowKeys.object(bucketId, key))
  if (current?.version.versionId === versionId) {
    return { versionId, modifiedMs: current.version.modifiedMs, replaced: current.replaced }
  }
  const stored = extents.find((extent) => extent.blobId !== '')
  const fence = changes.get<FenceRow>(rowKeys.fence(stored?.blobId ?? versionId))
  return fence?.ended?.versionId === versionId ? fence.ended : undefined
}
