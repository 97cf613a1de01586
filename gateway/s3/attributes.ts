/**
 * What a write says about a version beside its bytes and metadata: tags and protection, in headers, on their way in and
 * out. ACLs and encryption have modules of their own.
 */
import type { Version, VersionAttributes } from '../../node/core/catalog-types.ts'
import type { StoredObject } from '../object/object-store.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { addProtection, decodeProtection } from './retention.ts'
import { decodeTaggingHeader, taggingHeader } from './tagging.ts'

export type WrittenAttributes = Pick<VersionAttributes, 'tags' | 'retention' | 'legalHold'>

/** Of PutObject and CreateMultipartUpload. Throws InvalidArgument, InvalidTag. */
export function decodeAttributes(headers: Headers): WrittenAttributes {
  return { ...tagsOf(headers), ...decodeProtection(headers) }
}

/**
 * Of CopyObject: tags come along unless the directive says REPLACE, protection never does. Returns what to do with the
 * tags of the source once it is known, which throws AccessDenied for those who may not read them.
 * Throws InvalidArgument, InvalidTag.
 */
export function decodeCopiedAttributes(
  headers: Headers,
  directive: 'COPY' | 'REPLACE',
): (source: { readonly object: StoredObject; mayReadTags(): boolean }) => WrittenAttributes {
  const protection = decodeProtection(headers)
  if (directive === 'REPLACE') {
    const own = { ...tagsOf(headers), ...protection }
    return () => own
  }
  return ({ object, mayReadTags }) => {
    const { tags } = object.version
    if (tags === undefined) return protection
    if (!mayReadTags()) throw new S3Error('AccessDenied')
    return { tags, ...protection }
  }
}

function tagsOf(headers: Headers): Pick<VersionAttributes, 'tags'> {
  const tags = decodeTaggingHeader(headers[taggingHeader])
  return Object.keys(tags).length === 0 ? {} : { tags }
}

/**
 * Adds what a read tells of them: protection in full, tags by their number, each to those who may ask for it by itself,
 * as AWS documents for GetObject and HeadObject.
 */
export function addAttributes(
  version: Version,
  headers: Record<string, string>,
  { may, named }: { readonly may: (action: string) => boolean; readonly named: boolean },
): void {
  const { retention, legalHold, tags = {} } = version
  addProtection(
    {
      ...(retention !== undefined && may('s3:GetObjectRetention') ? { retention } : {}),
      ...(legalHold !== undefined && may('s3:GetObjectLegalHold') ? { legalHold } : {}),
    },
    headers,
  )
  const count = Object.keys(tags).length
  if (count > 0 && may(tagAction(named))) headers['x-amz-tagging-count'] = String(count)
}

/** The action that reads the tags of an object, or of a version that is named. */
export function tagAction(named: boolean): string {
  return named ? 's3:GetObjectVersionTagging' : 's3:GetObjectTagging'
}
