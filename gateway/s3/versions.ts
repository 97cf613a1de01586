/**
 * Versions as S3 names and shows them: the ids of requests, the headers of answers, and what a look-up that found no
 * object is answered with.
 *
 * Invariant: an id of ours is shown only for versions that were written under versioning; all others are `null`, and
 * where versioning was never on there is no id at all.
 * Source: AWS, "Retrieving object versions", "Working with delete markers".
 */
import type { DeleteMarker, Version } from '../../node/core/catalog-types.ts'
import {
  type FoundObject,
  isVersionId,
  type StoredMarker,
  type StoredObject,
  shownVersionId,
} from '../object/object-store.ts'
import type { S3Request } from '../operation.ts'
import { httpDate } from './dates.ts'
import { invalidArgument, S3Error } from './errors.ts'

export const versionHeader = 'x-amz-version-id'
export const markerHeader = 'x-amz-delete-marker'

/** The id in a text that a client sent. Throws InvalidArgument for what is no id. */
export function parseVersionId(text: string, name = 'versionId'): string {
  if (text === '') throw invalidArgument(name, text, 'Version id cannot be the empty string')
  if (!isVersionId(text)) throw invalidArgument(name, text, 'Invalid version id specified')
  return text
}

/** `versionId` of the query; undefined: the current version is meant. Throws InvalidArgument. */
export function requestedVersion(request: S3Request): string | undefined {
  const text = request.param('versionId')
  return text === undefined ? undefined : parseVersionId(text)
}

/** The id header of an answer about a version or marker; nothing where versioning is off. */
export function versionHeaders(
  entry: Pick<Version | DeleteMarker, 'versionId' | 'versioned'>,
  { versioning }: Pick<StoredObject, 'versioning'>,
): Record<string, string> {
  return versioning === 'Off' ? {} : { [versionHeader]: shownVersionId(entry) }
}

/**
 * The id header of an answer to a write. AWS documents an id for versioning that is enabled and says nothing of the
 * suspended state; ceph's suite wants none there.
 */
export function writtenHeaders(written: {
  readonly versionId: string
  readonly versioning: StoredObject['versioning']
}): Record<string, string> {
  return written.versioning === 'Enabled' ? { [versionHeader]: written.versionId } : {}
}

/**
 * The object that was found. Otherwise throws NoSuchKey, NoSuchVersion (an id was given), or MethodNotAllowed for a
 * delete marker that was named: it can only be deleted. All say so when it is a marker.
 */
export function requireObject(
  found: FoundObject | undefined,
  wanted: { readonly versionId: string | undefined; readonly key?: string },
): StoredObject {
  const details = wanted.key === undefined ? {} : { Key: wanted.key }
  if (found === undefined) throw noSuch(wanted.versionId, details)
  if (!('marker' in found)) return found
  const headers = markerHeaders(found)
  if (wanted.versionId === undefined) throw new S3Error('NoSuchKey', undefined, { headers, details })
  throw methodOnMarker(found)
}

/** As requireObject, for operations that AWS refuses with 405 on every delete marker, named or current. */
export function requireNoMarker(
  found: FoundObject | undefined,
  wanted: { readonly versionId: string | undefined },
): StoredObject {
  if (found !== undefined && 'marker' in found) throw methodOnMarker(found)
  return requireObject(found, wanted)
}

function noSuch(versionId: string | undefined, details: Record<string, string>): S3Error {
  if (versionId === undefined) return new S3Error('NoSuchKey', undefined, { details })
  return new S3Error('NoSuchVersion', undefined, { details: { ...details, VersionId: versionId } })
}

function methodOnMarker(found: StoredMarker): S3Error {
  return new S3Error('MethodNotAllowed', undefined, {
    details: { ResourceType: 'DeleteMarker' },
    headers: {
      ...markerHeaders(found),
      'last-modified': httpDate(found.marker.modifiedMs),
      allow: 'DELETE',
    },
  })
}

function markerHeaders(found: StoredMarker): Record<string, string> {
  return { [markerHeader]: 'true', ...versionHeaders(found.marker, found) }
}
