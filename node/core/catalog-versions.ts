/**
 * Versions of a key: written, deleted, amended, under conditions and the bucket's write rules.
 *
 * Invariants: the group's rules decide what a write does to what was there; a command that is repeated is answered like
 * the first time and changes nothing, also when what it wrote has been replaced since. How versions of a key lie and
 * move is in catalog-history.ts, Object Lock in retention.ts.
 *
 * Conditions as S3 has them: RFC 9110 section 13.1, and AWS's 404 for If-Match on a key that does not exist.
 */
import { ClusterError } from '../errors.ts'
import type { VersioningState, WriteRules } from './bucket-configuration.ts'
import { adoptBlob } from './catalog-blobs.ts'
import { requireOpenBucket, requireRules, rulesOf } from './catalog-buckets.ts'
import {
  currentOf,
  currentVersion,
  endCurrent,
  endNoncurrent,
  entryOf,
  findEntry,
  install,
  isMarker,
  rewriteVersion,
  writtenBefore,
} from './catalog-history.ts'
import {
  catalogLimits,
  type EndedVersion,
  type ExtentsRow,
  type HistoryRow,
  rowKeys,
} from './catalog-rows.ts'
import type { CatalogCommand, CatalogReplies, PutReply, Version, WriteConditions } from './catalog-types.ts'
import {
  type CommandTime,
  defaultRetention,
  noObjectLock,
  type RemovalRight,
  requireObjectLock,
  requireRetentionChange,
} from './retention.ts'
import type { RowChanges } from './row-changes.ts'
import type { Row } from './rows.ts'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/**
 * Makes a version the current one.
 * Refuses: NoSuchBucket, StaleBucket, WriteRulesBehind, NoObjectLock, PreconditionFailed, NoSuchObject,
 * VersionAbandoned, WormProtected.
 */
export function putVersion(
  changes: RowChanges,
  command: Command<'put-version'>,
  leaderMs: number | undefined,
): CatalogReplies['put-version'] {
  const { bucketId, version, blobs, conditions } = command
  const { versionId, key } = version
  const firstBlobId = version.extents.find((extent) => extent.blobId !== '')?.blobId
  const known = rulesOf(changes, bucketId)
  const before = writtenBefore(changes, { bucketId, key }, { versionId, firstBlobId, rules: known })
  if (before !== undefined) return putReply(before, known)
  const rules = requireRules(changes, command)
  requireConditions(currentOf(changes, { bucketId, key }, rules), conditions)
  for (const blob of blobs) adoptBlob(changes, blob, { bucketId, key })
  return installVersion(changes, { bucketId, version, rules, leaderMs })
}

/**
 * Deletes the object as the bucket's rules want it: removes it, or makes a delete marker current.
 * Refuses: NoSuchBucket, StaleBucket, WriteRulesBehind, PreconditionFailed, WormProtected, NoSuchObject (a condition
 * on a key without object; details: deleteMarker), and ConditionalConflict when another version than the one named is
 * current (details: versionId).
 */
export function deleteObject(
  changes: RowChanges,
  command: Command<'delete-object'>,
  leaderMs: number | undefined,
): CatalogReplies['delete-object'] {
  const { bucketId, key, conditions, nowMs, markerId } = command
  const name = { bucketId, key }
  const known = rulesOf(changes, bucketId)
  if (markerId !== undefined && known.versioning !== 'Off') {
    const before = writtenBefore(changes, name, { versionId: markerId, firstBlobId: undefined, rules: known })
    if (before !== undefined) return markerReply(before)
  }
  const rules = requireRules(changes, command)
  const current = currentOf(changes, name, rules)
  const version = currentVersion(current)?.version
  if (version !== undefined && command.versionId !== undefined && version.versionId !== command.versionId) {
    throw new ClusterError('ConditionalConflict', 'another version is current', {
      details: { versionId: version.versionId },
    })
  }
  requireConditions(current, conditions)
  if (version === undefined && command.versionId !== undefined) return { existed: false }
  const right = withoutBypass({ commandMs: nowMs, leaderMs })
  if (rules.versioning === 'Off') {
    if (current === undefined) return { existed: false }
    endCurrent(changes, name, { row: current, newest: undefined, sinceMs: nowMs, right })
    return { existed: true }
  }
  if (markerId === undefined) throw new ClusterError('BadMessage', 'a delete marker needs an id')
  const versioned = versionedUnder(rules)
  const entry = (at: { modifiedMs: number; replaced: boolean }): HistoryRow => ({
    marker: {
      versionId: markerId,
      key,
      modifiedMs: at.modifiedMs,
      ownerId: command.ownerId ?? '',
      ...versioned,
    },
    replaced: at.replaced,
  })
  const { replaced } = install(changes, name, { rules, modifiedMs: nowMs, right, entry })
  return markerReply({ versionId: markerId, replaced, ...versioned })
}

/**
 * Removes a version or marker for good. `newest`: the first row of the key's history.
 * Refuses: NoSuchBucket, StaleBucket, PreconditionFailed, WormProtected.
 */
export function deleteVersion(
  changes: RowChanges,
  command: Command<'delete-version'>,
  input: { readonly leaderMs: number | undefined; readonly newest: Row | undefined },
): CatalogReplies['delete-version'] {
  const { bucketId, key, versionId, nowMs } = command
  const name = { bucketId, key }
  requireOpenBucket(changes, bucketId)
  const found = findEntry(changes, name, { versionId, rules: rulesOf(changes, bucketId) })
  if (found === undefined) return { existed: false, wasMarker: false }
  const { row } = found
  requireHeld(row, command.conditions)
  const end = { row, sinceMs: nowMs, right: rightOf(command, input.leaderMs) }
  if (found.current) endCurrent(changes, name, { ...end, newest: input.newest })
  else endNoncurrent(changes, name, end)
  return { existed: true, wasMarker: isMarker(row) }
}

/**
 * Changes what a version carries. Repeating it is answered like the first time while no other amendment came after it.
 * Refuses: NoSuchBucket, StaleBucket, WriteRulesBehind, NoSuchVersion, IsDeleteMarker, NoObjectLock, WormProtected,
 * ConditionalConflict (the version has been amended by somebody else).
 */
export function amendVersion(
  changes: RowChanges,
  command: Command<'amend-version'>,
  leaderMs: number | undefined,
): CatalogReplies['amend-version'] {
  const { bucketId, key, versionId, change } = command
  const name = { bucketId, key }
  const rules = requireRules(changes, command)
  const found = findEntry(changes, name, { versionId, rules })
  if (found === undefined) {
    throw new ClusterError('NoSuchVersion', 'the key has no such version', { details: { versionId } })
  }
  const { row, current } = found
  if (isMarker(row)) throw new ClusterError('IsDeleteMarker', 'a delete marker carries nothing')
  const { version } = row
  if (version.amendId === command.amendId) return {}
  if (version.amendId !== command.afterAmendId) {
    throw new ClusterError('ConditionalConflict', 'the version was amended meanwhile', {
      details: { amendId: version.amendId },
    })
  }
  const locks = change.kind === 'retention' || change.kind === 'legal-hold'
  if (locks && rules.objectLock === undefined) throw noObjectLock()
  if (change.kind === 'retention')
    requireRetentionChange(version, change.retention, rightOf(command, leaderMs))
  const amended = { ...amend(version, change), amendId: command.amendId }
  rewriteVersion(changes, name, { row: { ...row, version: amended }, current })
  return {}
}

/**
 * Writes the object row of a version whose blobs have been adopted, under the rules that are in force.
 * The caller has checked bucket and conditions. Refuses: NoObjectLock, WormProtected, VersionAbandoned.
 */
export function installVersion(
  changes: RowChanges,
  write: {
    readonly bucketId: string
    readonly version: Version
    readonly rules: WriteRules
    readonly leaderMs: number | undefined
  },
): PutReply {
  const { bucketId, version, rules, leaderMs } = write
  const { versionId, key, extents } = version
  requireObjectLock(rules, version)
  const time: CommandTime = { commandMs: version.modifiedMs, leaderMs }
  const retention = version.retention ?? defaultRetention(rules, time)
  const extentsApart = extents.length > catalogLimits.extentsInRowMax
  if (extentsApart) {
    if (changes.has(rowKeys.extents(versionId))) {
      throw new ClusterError('VersionAbandoned', 'a version id is given once', { details: { versionId } })
    }
    changes.put(rowKeys.extents(versionId), { extents } satisfies ExtentsRow)
  }
  const { versioned: _, amendId: __, ...given } = version
  const stored = {
    ...given,
    ...(extentsApart ? { extents: [] } : {}),
    ...(retention === undefined ? {} : { retention }),
    ...versionedUnder(rules),
  }
  const row = install(
    changes,
    { bucketId, key },
    {
      rules,
      modifiedMs: version.modifiedMs,
      right: withoutBypass(time),
      entry: ({ modifiedMs, replaced }) => ({ version: { ...stored, modifiedMs }, extentsApart, replaced }),
    },
  )
  return putReply(
    { versionId, modifiedMs: entryOf(row).modifiedMs, replaced: row.replaced, ...versionedUnder(rules) },
    rules,
  )
}

/**
 * Throws PreconditionFailed, or NoSuchObject for a condition on an object where the key has none (details:
 * deleteMarker, when it has a delete marker instead). ETags compare as opaque text.
 */
export function requireConditions(current: HistoryRow | undefined, conditions: WriteConditions): void {
  const version = currentVersion(current)?.version
  const { ifMatch, ifNoneMatch, ifMatchBytes, ifMatchModifiedMs } = conditions
  const wantsObject = (ifMatch ?? ifMatchBytes ?? ifMatchModifiedMs) !== undefined
  if (wantsObject && version === undefined) {
    throw new ClusterError('NoSuchObject', 'a condition names an object and the key has none', {
      details: current === undefined ? {} : { deleteMarker: true },
    })
  }
  if (version === undefined) return
  const condition = failedCondition(version, conditions)
  const exists = ifNoneMatch === '*' || (ifNoneMatch !== undefined && ifNoneMatch === version.etag)
  if (condition !== undefined || exists) throw preconditionFailed(condition ?? 'If-None-Match')
}

/** Throws PreconditionFailed when conditions do not hold for the version or marker that is named. */
function requireHeld(row: HistoryRow, conditions: WriteConditions): void {
  const { ifMatch, ifMatchBytes, ifMatchModifiedMs } = conditions
  if (!isMarker(row)) {
    const condition = failedCondition(row.version, conditions)
    if (condition !== undefined) throw preconditionFailed(condition)
  } else if (
    (ifMatch !== undefined && ifMatch !== '*') ||
    (ifMatchBytes ?? ifMatchModifiedMs) !== undefined
  ) {
    throw preconditionFailed('If-Match')
  }
}

/** The first of the conditions that want a certain version and do not get it. */
function failedCondition(version: Version, conditions: WriteConditions): string | undefined {
  const { ifMatch, ifMatchBytes, ifMatchModifiedMs } = conditions
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== version.etag) return 'If-Match'
  if (ifMatchBytes !== undefined && ifMatchBytes !== version.bytes) return 'x-amz-if-match-size'
  const seconds = (ms: number) => Math.floor(ms / 1000)
  if (ifMatchModifiedMs !== undefined && seconds(ifMatchModifiedMs) !== seconds(version.modifiedMs))
    return 'x-amz-if-match-last-modified-time'
  return undefined
}

function preconditionFailed(condition: string): ClusterError {
  return new ClusterError('PreconditionFailed', `${condition} does not hold`, { details: { condition } })
}

function amend(version: Version, change: Command<'amend-version'>['change']): Version {
  switch (change.kind) {
    case 'retention': {
      const { retention: _, ...rest } = version
      return change.retention === null ? rest : { ...rest, retention: change.retention }
    }
    case 'legal-hold':
      return { ...version, legalHold: change.on }
    case 'tags': {
      const { tags: _, ...rest } = version
      return change.tags === null ? rest : { ...rest, tags: change.tags }
    }
    case 'acl': {
      const { acl: _, ...rest } = version
      return change.acl === null ? rest : { ...rest, acl: change.acl }
    }
  }
}

/** Nobody may bypass a retention by writing over it. */
function withoutBypass(time: CommandTime): RemovalRight {
  return { time, bypassGovernance: false }
}

function rightOf(
  command: { readonly nowMs: number; readonly bypassGovernance?: true },
  leaderMs: number | undefined,
): RemovalRight {
  const time = { commandMs: command.nowMs, leaderMs }
  return { time, bypassGovernance: command.bypassGovernance === true }
}

function versionedUnder({ versioning }: WriteRules): { versioned?: true } {
  return versioning === 'Enabled' ? { versioned: true } : {}
}

/** What a version was written under can be told from it, and from whether versioning was ever on. */
function putReply(wrote: EndedVersion, rules: WriteRules): PutReply {
  const { versionId, modifiedMs, replaced, versioned } = wrote
  const versioning: VersioningState =
    versioned === true ? 'Enabled' : rules.versioning === 'Off' ? 'Off' : 'Suspended'
  return { versionId, modifiedMs, replaced, ...(versioning === 'Off' ? {} : { versioning }) }
}

function markerReply(wrote: Omit<EndedVersion, 'modifiedMs'>): CatalogReplies['delete-object'] {
  const { versionId, versioned } = wrote
  return { existed: wrote.replaced, marker: { versionId, ...(versioned === true ? { versioned } : {}) } }
}
