/**
 * Reading and changing what one version carries: the frame of the tagging, retention and legal hold operations.
 *
 * Which version is meant, what a delete marker is answered with and the id header of the answer are decided here, once.
 */
import type { Amendment } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { AmendedVersion, StoredObject } from '../object/object-store.ts'
import type { BucketContext } from '../operation.ts'
import { requireNoMarker, versionHeaders } from './versions.ts'

/** As a request names a version; undefined: the current one. */
export interface VersionName {
  readonly key: string
  readonly versionId: string | undefined
}

/** The version that a request is about. Throws NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker). */
export async function readVersion(
  { key, versionId }: VersionName,
  context: BucketContext,
): Promise<StoredObject> {
  return requireNoMarker(await context.findObject({ key, versionId, expect: 'nothing' }), { versionId })
}

/** Changes it. Throws as readVersion, InvalidRequest (no Object Lock), AccessDenied (it would be protected less). */
export async function amendVersion(
  { key, versionId }: VersionName,
  change: Amendment,
  { context, bypassGovernance = false }: { context: BucketContext; bypassGovernance?: boolean },
): Promise<AmendedVersion> {
  const { store, bucket, call } = context
  try {
    return await store.amendVersion({ bucket, key, versionId, change, bypassGovernance }, call)
  } catch (error) {
    const nothing = error instanceof ClusterError && unfound.includes(error.code)
    // Looked up once more to say which of the answers it is, with the headers of a marker.
    if (nothing) await readVersion({ key, versionId }, context)
    throw error
  }
}

const unfound: readonly ClusterError['code'][] = ['NoSuchObject', 'NoSuchVersion', 'IsDeleteMarker']

/** The id header of an answer about a version. */
export function amendedHeaders(amended: AmendedVersion): Record<string, string> {
  return versionHeaders(amended.version, amended)
}
