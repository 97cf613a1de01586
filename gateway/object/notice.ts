/**
 * The notice that a write takes along for the bucket's notification targets (node/core/notification.ts).
 */
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { type Notice, noticeOf, type PossibleEvents } from '../../node/core/notification.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import type { CallContext } from './object-store.ts'

const noticed: ReadonlySet<CatalogCommand['kind']> = new Set([
  'put-version',
  'complete-upload',
  'delete-object',
  'delete-version',
  'amend-version',
])

/** What to add to a command of this kind; nothing when nobody wants to hear of it. */
export function noticeFor(
  kind: CatalogCommand['kind'],
  { bucket, key }: { bucket: Bucket; key: string },
  { requestId, raises }: CallContext,
): { notice?: Notice } {
  if (raises === undefined || !noticed.has(kind)) return {}
  const { event, principalId, sourceIp } = raises
  const possible: PossibleEvents =
    event === 'removal'
      ? { removed: 'ObjectRemoved:Delete', marked: 'ObjectRemoved:DeleteMarkerCreated' }
      : { done: event }
  const notice = noticeOf(bucket, key, { ...possible, principalId, sourceIp, requestId })
  return notice === undefined ? {} : { notice }
}
