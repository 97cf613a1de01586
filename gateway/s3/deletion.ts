/**
 * One deletion, as DeleteObject and the entries of DeleteObjects ask for it.
 *
 * Source: AWS, "DeleteObject": a condition that names an object where there is none holds (204). A delete marker in the
 * object's place matches `If-Match: *` and no ETag, size or time; AWS does not say, ceph's suite does.
 */
import type { WriteConditions } from '../../node/core/catalog-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { type CallContext, shownVersionId } from '../object/object-store.ts'
import type { BucketContext } from '../operation.ts'
import { preconditionFailed } from './conditions.ts'
import { accountIdOf } from './ownership.ts'

export interface Deletion {
  readonly key: string
  readonly versionId: string | undefined
  readonly conditions: WriteConditions
  /** May end a governance retention: asked for by the client, granted by the pipeline. */
  readonly bypassGovernance: boolean
}

/** `marker`: a delete marker was made, or was what was removed. */
export interface Deleted {
  /** Of the version removed, or of the marker made; undefined: versioning is off. */
  readonly versionId: string | undefined
  readonly marker: boolean
}

/** Throws PreconditionFailed, AccessDenied (WormProtected). `call`: each deletion has an id of its own. */
export async function deleteOne(
  { key, versionId, conditions, bypassGovernance }: Deletion,
  { store, bucket, identity }: BucketContext,
  call: CallContext,
): Promise<Deleted> {
  if (versionId !== undefined) {
    const removal = { bucket, key, versionId, bypassGovernance, conditions }
    const { wasMarker } = await store.deleteVersion(removal, call)
    return { versionId, marker: wasMarker }
  }
  try {
    const deletion = { bucket, key, conditions, ownerId: accountIdOf(identity) }
    const { marker } = await store.deleteObject(deletion, call)
    if (marker === undefined) return { versionId: undefined, marker: false }
    return { versionId: shownVersionId(marker), marker: true }
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'NoSuchObject') throw error
    if (error.details.deleteMarker === true && namesOne(conditions)) throw preconditionFailed('If-Match')
    return { versionId: undefined, marker: false }
  }
}

function namesOne({ ifMatch, ifMatchBytes, ifMatchModifiedMs }: WriteConditions): boolean {
  return (ifMatch ?? '*') !== '*' || (ifMatchBytes ?? ifMatchModifiedMs) !== undefined
}
