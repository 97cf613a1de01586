/**
 * The notice that a write takes along for the bucket's notification targets (node/core/notification.ts).
 */
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import { type Notice, noticeOf } from '../../node/core/notification.ts'
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
  const { notifications: rules = [], eventBridge = false } = bucket.configuration ?? {}
  if (raises === undefined || !noticed.has(kind) || (rules.length === 0 && !eventBridge)) return {}
  const { event, principalId, sourceIp } = raises
  const of = (name: Parameters<typeof noticeOf>[1]) => noticeOf({ rules, eventBridge }, name, key)
  const [done, removed, marked] =
    event === 'removal'
      ? [undefined, of('ObjectRemoved:Delete'), of('ObjectRemoved:DeleteMarkerCreated')]
      : [of(event), undefined, undefined]
  if ((done ?? removed ?? marked) === undefined) return {}
  return {
    notice: {
      bucketName: bucket.name,
      ownerId: bucket.ownerId,
      principalId,
      sourceIp,
      requestId,
      ...(done === undefined ? {} : { done }),
      ...(removed === undefined ? {} : { removed }),
      ...(marked === undefined ? {} : { marked }),
    },
  }
}
