/**
 * Multipart uploads: created, filled with parts, completed into a version or aborted.
 *
 * Invariants: a part's blob is released when the part is replaced, left out or aborted, and passes to the version
 * when the upload is completed, in the same command, so it always belongs to exactly one of them; an upload that has
 * ended is fenced and never comes back; completing it again is answered like the first time, for as long as the
 * answer is kept (`completedUploadsMax` per group).
 */
import { ClusterError } from '../errors.ts'
import { adoptBlob, isOwner, releaseBlob } from './catalog-blobs.ts'
import { countInBucket, requireOpenBucket, requireRules } from './catalog-buckets.ts'
import { currentOf } from './catalog-history.ts'
import {
  type CompletedRow,
  catalogLimits,
  type FenceRow,
  type MetaRow,
  type PartRow,
  type RingRow,
  rowKeys,
  type UploadName,
  type UploadRow,
} from './catalog-rows.ts'
import type { CatalogCommand, CatalogReplies, Extent, Part, Upload, Version } from './catalog-types.ts'
import { installVersion, requireConditions } from './catalog-versions.ts'
import { requireObjectLock } from './retention.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/**
 * Begins an upload. Refuses: NoSuchBucket, StaleBucket, WriteRulesBehind, NoObjectLock, NoSuchUpload when it has ended
 * already (a late repetition).
 */
export function createUpload(changes: RowChanges, command: Command<'create-upload'>): Record<string, never> {
  const { bucketId, upload } = command
  const rules = requireRules(changes, command)
  const name = { bucketId, key: upload.key, uploadId: upload.uploadId }
  if (changes.has(rowKeys.fence(upload.uploadId))) throw noSuchUpload(name)
  if (changes.has(rowKeys.upload(name))) return {}
  requireObjectLock(rules, upload)
  changes.put(rowKeys.upload(name), { upload } satisfies UploadRow)
  countInBucket(changes, bucketId, { uploads: 1 })
  return {}
}

/**
 * Stores a part, replacing the one of that number. Refuses: NoSuchBucket, StaleBucket, NoSuchUpload, VersionAbandoned.
 *
 * A repetition of one that was applied is never refused while its blob is in use, not even when the upload has been
 * completed since: a refusal tells the gateway that it may delete the shards.
 */
export function putPart(changes: RowChanges, command: Command<'put-part'>): CatalogReplies['put-part'] {
  const { bucketId, key, part, blob } = command
  requireOpenBucket(changes, bucketId)
  const rowKey = rowKeys.part(command, part.partNumber)
  const current = changes.get<PartRow>(rowKey)?.part
  if (current?.blobId === part.blobId) return { modifiedMs: current.modifiedMs }
  const owner = { bucketId, key }
  if (blob !== undefined && isOwner(changes, blob.blobId, owner)) return { modifiedMs: part.modifiedMs }
  requireUpload(changes, command)
  const modifiedMs = Math.max(part.modifiedMs, (current?.modifiedMs ?? -1) + 1)
  if (blob !== undefined) adoptBlob(changes, blob, owner)
  if (current !== undefined) releasePart(changes, current, modifiedMs)
  changes.put(rowKey, { part: { ...part, modifiedMs } } satisfies PartRow)
  countInBucket(changes, bucketId, { bytes: part.bytes - (current?.bytes ?? 0) })
  return { modifiedMs }
}

/**
 * Makes the listed parts the current version and releases the others.
 *
 * @param input.parts all parts of the upload, by number
 * Refuses: NoSuchBucket, StaleBucket, WriteRulesBehind, NoSuchUpload, InvalidPartOrder, InvalidPart and PartTooSmall
 * (details: partNumber), PreconditionFailed, NoSuchObject, WormProtected.
 */
export function completeUpload(
  changes: RowChanges,
  command: Command<'complete-upload'>,
  input: { readonly parts: readonly Part[]; readonly leaderMs: number | undefined },
): CatalogReplies['complete-upload'] {
  const { bucketId, key, uploadId, nowMs } = command
  const { parts, leaderMs } = input
  const completed = changes.get<CompletedRow>(rowKeys.completed(command))
  if (completed !== undefined) return completed.reply
  const rules = requireRules(changes, command)
  const upload = requireUpload(changes, command)
  const chosen = chooseParts(command, parts)
  requireConditions(currentOf(changes, { bucketId, key }, rules), command.conditions)

  const version = versionOf(command, upload, chosen)
  const { modifiedMs, versioning } = installVersion(changes, { bucketId, version, rules, leaderMs })
  const kept = new Set(chosen.map((part) => part.blobId))
  for (const part of parts) {
    if (!kept.has(part.blobId)) releasePart(changes, part, nowMs)
    changes.delete(rowKeys.part(command, part.partNumber))
  }
  endUpload(changes, { bucketId, key, uploadId }, { sinceMs: nowMs, parts })
  const { versionId, etag, bytes, checksum } = version
  const reply = {
    versionId,
    etag,
    bytes,
    modifiedMs,
    ...(checksum === undefined ? {} : { checksum }),
    ...(versioning === undefined ? {} : { versioning }),
  }
  rememberCompleted(changes, command, reply)
  return reply
}

/** Ends an upload and releases its parts. Refuses: NoSuchBucket, StaleBucket, NoSuchUpload. `parts`: all of them. */
export function abortUpload(
  changes: RowChanges,
  command: Command<'abort-upload'>,
  parts: readonly Part[],
): CatalogReplies['abort-upload'] {
  requireOpenBucket(changes, command.bucketId)
  const upload = requireUpload(changes, command)
  const newestMs = parts.reduce((newest, part) => Math.max(newest, part.modifiedMs), upload.startedMs)
  const sinceMs = command.nowMs ?? newestMs
  for (const part of parts) {
    releasePart(changes, part, sinceMs)
    changes.delete(rowKeys.part(command, part.partNumber))
  }
  endUpload(changes, command, { sinceMs, parts })
  return {}
}

/** The parts that the client lists, checked as S3 does; the order of checks is ours. */
function chooseParts(command: Command<'complete-upload'>, parts: readonly Part[]): Part[] {
  const known = new Map(parts.map((part) => [part.partNumber, part]))
  let before = 0
  const chosen = command.parts.map((listed) => {
    const { partNumber } = listed
    if (partNumber <= before) {
      throw new ClusterError('InvalidPartOrder', 'parts must ascend by number', { details: { partNumber } })
    }
    before = partNumber
    const part = known.get(partNumber)
    const checksumDiffers = listed.checksum !== undefined && listed.checksum !== part?.checksum?.value
    if (part === undefined || part.etag !== listed.etag || checksumDiffers) {
      throw new ClusterError('InvalidPart', 'no such part, or it has another ETag or checksum', {
        details: { partNumber },
      })
    }
    return part
  })
  if (chosen.length === 0)
    throw new ClusterError('InvalidPart', 'an upload is completed with at least one part')
  for (const { partNumber, bytes } of chosen.slice(0, -1)) {
    if (bytes < command.partBytesMin) {
      throw new ClusterError('PartTooSmall', 'only the last part may be so small', {
        details: { partNumber, bytes, partBytesMin: command.partBytesMin },
      })
    }
  }
  return chosen
}

function versionOf(command: Command<'complete-upload'>, upload: Upload, chosen: readonly Part[]): Version {
  const extents: Extent[] = chosen.map(({ blobId, bytes, partNumber, etag, checksum }) => ({
    blobId,
    bytes,
    partNumber,
    etag,
    ...(checksum === undefined ? {} : { checksum }),
  }))
  const { retention, legalHold, tags, acl, encryption } = upload
  return {
    versionId: command.versionId,
    key: command.key,
    bytes: extents.reduce((sum, extent) => sum + extent.bytes, 0),
    etag: command.etag,
    modifiedMs: command.nowMs,
    ownerId: upload.ownerId,
    metadata: upload.metadata,
    ...(command.checksum === undefined ? {} : { checksum: command.checksum }),
    extents,
    dataKey: upload.dataKey,
    segmentBytes: upload.segmentBytes,
    ...(retention === undefined ? {} : { retention }),
    ...(legalHold === undefined ? {} : { legalHold }),
    ...(tags === undefined ? {} : { tags }),
    ...(acl === undefined ? {} : { acl }),
    ...(encryption === undefined ? {} : { encryption }),
  }
}

function releasePart(changes: RowChanges, part: Part, sinceMs: number): void {
  if (part.blobId !== '') releaseBlob(changes, part.blobId, { sinceMs })
}

/** What becomes of the parts is counted with the version. */
function endUpload(
  changes: RowChanges,
  name: UploadName,
  { sinceMs, parts }: { readonly sinceMs: number; readonly parts: readonly Part[] },
): void {
  changes.delete(rowKeys.upload(name))
  changes.put(rowKeys.fence(name.uploadId), { sinceMs } satisfies FenceRow)
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  countInBucket(changes, name.bucketId, { uploads: -1, bytes: -bytes })
}

/** Keeps the answer, and drops the one that had this place in the ring. */
function rememberCompleted(
  changes: RowChanges,
  name: UploadName,
  reply: CatalogReplies['complete-upload'],
): void {
  const count = changes.get<MetaRow>(rowKeys.meta)?.completed ?? 0
  const place = rowKeys.ring(count % catalogLimits.completedUploadsMax)
  const oldest = changes.get<RingRow>(place)
  if (oldest !== undefined) changes.delete(oldest.completed)
  const completed = rowKeys.completed(name)
  changes.put(completed, { reply } satisfies CompletedRow)
  changes.put(place, { completed } satisfies RingRow)
  changes.put(rowKeys.meta, { completed: count + 1 } satisfies MetaRow)
}

function requireUpload(changes: RowChanges, name: UploadName): Upload {
  const row = changes.get<UploadRow>(rowKeys.upload(name))
  if (row === undefined) throw noSuchUpload(name)
  return row.upload
}

function noSuchUpload({ uploadId }: UploadName): ClusterError {
  return new ClusterError('NoSuchUpload', 'no such upload in progress', { details: { uploadId } })
}
