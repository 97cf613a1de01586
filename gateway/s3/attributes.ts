/**
 * What a write says about a version beside its bytes and metadata: tags and protection, in headers, on their way in and
 * out. ACLs and encryption have modules of their own.
 */
import type { Version, VersionAttributes } from '../../node/core/catalog-types.ts'
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
 * tags of the source once it is known. Throws InvalidArgument, InvalidTag.
 */
export function decodeCopiedAttributes(
  headers: Headers,
  directive: 'COPY' | 'REPLACE',
): (source: Version) => WrittenAttributes {
  const protection = decodeProtection(headers)
  if (directive === 'REPLACE') {
    const own = { ...tagsOf(headers), ...protection }
    return () => own
  }
  return ({ tags }) => ({ ...(tags === undefined ? {} : { tags }), ...protection })
}

function tagsOf(headers: Headers): Pick<VersionAttributes, 'tags'> {
  const tags = decodeTaggingHeader(headers[taggingHeader])
  return Object.keys(tags).length === 0 ? {} : { tags }
}

/** Adds what a read tells of them: protection in full, tags by their number. */
export function addAttributes(version: Version, headers: Record<string, string>): void {
  addProtection(version, headers)
  const count = Object.keys(version.tags ?? {}).length
  if (count > 0) headers['x-amz-tagging-count'] = String(count)
}
