/**
 * The versions and delete markers of one key: which is current, where the others lie, how they come and go.
 *
 * Invariants: `modifiedMs` rises with every version and marker of a key, so that the order of rows is that of time;
 * a key has at most one null version or marker; one ends only through `endEntry`, which asks Object Lock first, keeps
 * the answer of the command that wrote it, and releases all its blobs in the same command.
 *
 * Where versioning was never on, a key has one row, and nothing here looks for others. Conditions and the bucket's
 * state are the callers'.
 */
import type { WriteRules } from './bucket-configuration.ts'
import { releaseBlob } from './catalog-blobs.ts'
import { countInBucket } from './catalog-buckets.ts'
import {
  type EndedVersion,
  type ExtentsRow,
  type FenceRow,
  type HistoryRow,
  type KeyName,
  type MarkerRow,
  type NoncurrentRow,
  type NullPlaceRow,
  type ObjectRow,
  type PlaceRow,
  rowKeys,
} from './catalog-rows.ts'
import type { DeleteMarker, Version } from './catalog-types.ts'
import { invariant } from './invariant.ts'
import { type RemovalRight, requireRemovable } from './retention.ts'
import type { DecodedRows, RowChanges } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { Row } from './rows.ts'

export function isMarker(row: HistoryRow): row is MarkerRow {
  return 'marker' in row
}

/** What versions and markers have in common. */
export function entryOf(row: HistoryRow): Version | DeleteMarker {
  return isMarker(row) ? row.marker : row.version
}

/** The current version or marker of a key. */
export function currentOf(rows: DecodedRows, name: KeyName, rules: WriteRules): HistoryRow | undefined {
  const row = rows.get<ObjectRow>(rowKeys.object(name.bucketId, name.key))
  if (row !== undefined || rules.versioning === 'Off') return row
  return rows.get<MarkerRow>(rowKeys.marker(name))
}

/** The current version; undefined also when a marker is current. */
export function currentVersion(row: HistoryRow | undefined): ObjectRow | undefined {
  return row === undefined || isMarker(row) ? undefined : row
}

/** A version or marker by its id; `null`: the null one. */
export function findEntry(
  rows: DecodedRows,
  name: KeyName,
  wanted: { readonly versionId: string; readonly rules: WriteRules },
): { readonly row: HistoryRow; readonly current: boolean } | undefined {
  const { versionId, rules } = wanted
  const current = currentOf(rows, name, rules)
  if (current !== undefined && isNamed(current, versionId)) return { row: current, current: true }
  if (rules.versioning === 'Off') return undefined
  const rowKey = noncurrentKey(rows, name, versionId)
  if (rowKey === undefined) return undefined
  return { row: noncurrentAt(rows, rowKey), current: false }
}

/** Row key of a noncurrent version or marker; `null`: of the null one. */
function noncurrentKey(rows: DecodedRows, name: KeyName, versionId: string): string | undefined {
  if (versionId === 'null') {
    const place = rows.get<NullPlaceRow>(rowKeys.nullPlace(name))
    return place === undefined ? undefined : rowKeys.noncurrent(name, place)
  }
  const place = rows.get<PlaceRow>(rowKeys.place(name, versionId))
  return place === undefined ? undefined : rowKeys.noncurrent(name, { ...place, versionId })
}

/**
 * Makes a version or marker the current one. What was current becomes noncurrent, or ends when the new one takes its
 * place: always where versioning is off, the null one where it is suspended. Throws WormProtected.
 *
 * @param by.entry makes the row from its modification time, which is at least `by.modifiedMs`, and from whether it
 *   replaces a version
 */
export function install(
  changes: RowChanges,
  name: KeyName,
  by: {
    readonly rules: WriteRules
    readonly modifiedMs: number
    readonly right: RemovalRight
    readonly entry: (at: { readonly modifiedMs: number; readonly replaced: boolean }) => HistoryRow
  },
): HistoryRow {
  const { right } = by
  const { versioning } = by.rules
  const current = currentOf(changes, name, by.rules)
  const modifiedMs = Math.max(by.modifiedMs, (current === undefined ? -1 : entryOf(current).modifiedMs) + 1)
  const tally: Tally = { objects: 0, versions: 0, bytes: 0 }
  if (current !== undefined) {
    const stays = versioning === 'Enabled' || (versioning === 'Suspended' && isVersioned(current))
    takeFromCurrent(changes, name, current, tally)
    if (stays) pushNoncurrent(changes, name, { ...current, noncurrentMs: modifiedMs }, tally)
    else endEntry(changes, current, { sinceMs: modifiedMs, right }, tally)
  }
  if (versioning === 'Suspended') {
    const rowKey = noncurrentKey(changes, name, 'null')
    if (rowKey !== undefined) {
      const row = endEntry(changes, noncurrentAt(changes, rowKey), { sinceMs: modifiedMs, right }, tally)
      takeFromNoncurrent(changes, name, { rowKey, row }, tally)
    }
  }
  const row = by.entry({ modifiedMs, replaced: current !== undefined && !isMarker(current) })
  putCurrent(changes, name, row, tally)
  if (!isMarker(row)) tally.bytes += row.version.bytes
  countInBucket(changes, name.bucketId, tally)
  return row
}

/** Ends the current version or marker; the newest of the others becomes current. Throws WormProtected. */
export function endCurrent(
  changes: RowChanges,
  name: KeyName,
  end: Ending & {
    readonly row: HistoryRow
    /** The first row of the key's history, if it has one. */
    readonly newest: Row | undefined
  },
): void {
  const tally: Tally = { objects: 0, versions: 0, bytes: 0 }
  endEntry(changes, end.row, end, tally)
  takeFromCurrent(changes, name, end.row, tally)
  if (end.newest !== undefined) {
    const { noncurrentMs: _, ...row } = decodeRow<NoncurrentRow>(end.newest.value)
    takeFromNoncurrent(changes, name, { rowKey: end.newest.key, row }, tally)
    putCurrent(changes, name, row, tally)
  }
  countInBucket(changes, name.bucketId, tally)
}

/** Ends a noncurrent version or marker. Throws WormProtected. */
export function endNoncurrent(
  changes: RowChanges,
  name: KeyName,
  end: Ending & { readonly row: HistoryRow },
): void {
  const tally: Tally = { objects: 0, versions: 0, bytes: 0 }
  const { row } = end
  endEntry(changes, row, end, tally)
  takeFromNoncurrent(changes, name, { rowKey: rowKeys.noncurrent(name, entryOf(row)), row }, tally)
  countInBucket(changes, name.bucketId, tally)
}

/** Writes back a version whose attributes have changed, where it lies. */
export function rewriteVersion(
  changes: RowChanges,
  name: KeyName,
  change: { readonly row: ObjectRow; readonly current: boolean },
): void {
  const { row, current } = change
  changes.put(current ? rowKeys.object(name.bucketId, name.key) : rowKeys.noncurrent(name, row.version), row)
}

/** The answer that the command which wrote a version or marker got, if it was applied before. */
export function writtenBefore(
  changes: RowChanges,
  name: KeyName,
  wrote: { readonly versionId: string; readonly firstBlobId: string | undefined; readonly rules: WriteRules },
): EndedVersion | undefined {
  const { versionId, firstBlobId, rules } = wrote
  const found = findEntry(changes, name, { versionId, rules })
  if (found !== undefined) return ending(found.row)
  const ended = changes.get<FenceRow>(rowKeys.fence(firstBlobId ?? versionId))?.ended
  return ended?.versionId === versionId ? ended : undefined
}

/** The version of an object row with its extents, wherever they lie. */
export function wholeVersion(rows: DecodedRows, row: ObjectRow): Version {
  if (!row.extentsApart) return row.version
  const apart = rows.get<ExtentsRow>(rowKeys.extents(row.version.versionId))
  invariant(apart !== undefined, `version ${row.version.versionId} has its extents row`)
  return { ...row.version, extents: apart.extents }
}

/** How many rows a command adds: `o` rows, and those of markers and noncurrent versions; and bytes of versions. */
interface Tally {
  objects: number
  versions: number
  bytes: number
}

interface Ending {
  readonly sinceMs: number
  readonly right: RemovalRight
}

function pushNoncurrent(changes: RowChanges, name: KeyName, row: NoncurrentRow, tally: Tally): void {
  const { versionId, modifiedMs } = entryOf(row)
  changes.put(rowKeys.noncurrent(name, { modifiedMs, versionId }), row)
  changes.put(rowKeys.place(name, versionId), { modifiedMs } satisfies PlaceRow)
  if (!isVersioned(row)) {
    changes.put(rowKeys.nullPlace(name), { modifiedMs, versionId } satisfies NullPlaceRow)
  }
  tally.versions += 1
}

function takeFromNoncurrent(
  changes: RowChanges,
  name: KeyName,
  { rowKey, row }: { rowKey: string; row: HistoryRow },
  tally: Tally,
): void {
  changes.delete(rowKey)
  changes.delete(rowKeys.place(name, entryOf(row).versionId))
  if (!isVersioned(row)) changes.delete(rowKeys.nullPlace(name))
  tally.versions -= 1
}

function putCurrent(changes: RowChanges, name: KeyName, row: HistoryRow, tally: Tally): void {
  if (isMarker(row)) {
    changes.put(rowKeys.marker(name), row)
    tally.versions += 1
  } else {
    changes.put(rowKeys.object(name.bucketId, name.key), row)
    tally.objects += 1
  }
}

function takeFromCurrent(changes: RowChanges, name: KeyName, row: HistoryRow, tally: Tally): void {
  if (isMarker(row)) {
    changes.delete(rowKeys.marker(name))
    tally.versions -= 1
  } else {
    changes.delete(rowKeys.object(name.bucketId, name.key))
    tally.objects -= 1
  }
}

function noncurrentAt(rows: DecodedRows, rowKey: string): NoncurrentRow {
  const row = rows.get<NoncurrentRow>(rowKey)
  invariant(row !== undefined, `a noncurrent version lies at ${rowKey}, where its place row says`)
  return row
}

/** The one way in which a version or marker ends: releases all that it has, if Object Lock lets it go. */
function endEntry<R extends HistoryRow>(changes: RowChanges, row: R, end: Ending, tally: Tally): R {
  const ended = ending(row)
  const sinceMs = Math.max(end.sinceMs, ended.modifiedMs)
  if (isMarker(row)) {
    changes.put(rowKeys.fence(ended.versionId), { sinceMs, ended } satisfies FenceRow)
    return row
  }
  requireRemovable(row.version, end.right)
  tally.bytes -= row.version.bytes
  const { extents } = wholeVersion(changes, row)
  if (row.extentsApart) changes.delete(rowKeys.extents(ended.versionId))
  const stored = extents.filter((extent) => extent.blobId !== '')
  if (stored.length === 0) changes.put(rowKeys.fence(ended.versionId), { sinceMs, ended } satisfies FenceRow)
  stored.forEach(({ blobId }, at) => {
    releaseBlob(changes, blobId, at === 0 ? { sinceMs, ended } : { sinceMs })
  })
  return row
}

function ending(row: HistoryRow): EndedVersion {
  const { versionId, modifiedMs, versioned } = entryOf(row)
  return { versionId, modifiedMs, replaced: row.replaced, ...(versioned === true ? { versioned } : {}) }
}

function isVersioned(row: HistoryRow): boolean {
  return entryOf(row).versioned === true
}

function isNamed(row: HistoryRow, versionId: string): boolean {
  return versionId === 'null' ? !isVersioned(row) : entryOf(row).versionId === versionId
}
