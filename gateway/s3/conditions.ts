/**
 * Conditional headers of reads, copies and writes, decided in AWS's order of precedence. Pure.
 *
 * Source: RFC 9110 section 13.2.2; AWS, GetObject and CopyObject: If-Match true beats If-Unmodified-Since false,
 * If-None-Match false beats If-Modified-Since true. Times have whole seconds, like Last-Modified.
 */
import type { WriteConditions } from '../../node/core/catalog-types.ts'
import { gatewayLimits } from '../limits.ts'
import { parseHttpDate } from './dates.ts'
import { headerNotImplemented, S3Error } from './errors.ts'

export interface ReadConditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
}

type Headers = Readonly<Record<string, string | undefined>>

/** `prefix` is `''` for reads, `x-amz-copy-source-` for the source of a copy. */
export function readConditions(headers: Headers, prefix = ''): ReadConditions {
  return {
    ifMatch: headers[`${prefix}if-match`],
    ifNoneMatch: headers[`${prefix}if-none-match`],
    ifModifiedSince: headers[`${prefix}if-modified-since`],
    ifUnmodifiedSince: headers[`${prefix}if-unmodified-since`],
  }
}

/** An ETag as clients send it: quotes and the weakness mark are optional. */
export function bareEtag(text: string): string {
  return text
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1')
}

/** The ETag of a write condition, cut to what the catalog takes: no stored one is so long, so it matches nothing. */
export function conditionEtag(text: string): string {
  return bareEtag(text).slice(0, gatewayLimits.conditionEtagBytesMax)
}

function listMatches(list: string, etag: string): boolean {
  return list.split(',').some((item) => item.trim() === '*' || bareEtag(item) === etag)
}

/** `holds`: serve it. Reads turn `not-modified` into 304, copies into 412. A malformed date is no condition. */
export function checkRead(
  conditions: ReadConditions,
  object: { readonly etag: string; readonly modifiedMs: number },
): 'holds' | 'failed' | 'not-modified' {
  const modifiedMs = Math.floor(object.modifiedMs / 1000) * 1000
  const since = (text: string | undefined) => (text === undefined ? undefined : parseHttpDate(text))
  if (conditions.ifMatch !== undefined) {
    if (!listMatches(conditions.ifMatch, object.etag)) return 'failed'
  } else {
    const limit = since(conditions.ifUnmodifiedSince)
    if (limit !== undefined && modifiedMs > limit) return 'failed'
  }
  if (conditions.ifNoneMatch !== undefined) {
    if (listMatches(conditions.ifNoneMatch, object.etag)) return 'not-modified'
  } else {
    const limit = since(conditions.ifModifiedSince)
    if (limit !== undefined && modifiedMs <= limit) return 'not-modified'
  }
  return 'holds'
}

/** PreconditionFailed that names the header, as AWS does. */
export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', undefined, { details: { Condition: condition } })
}

/** `If-Match` and `If-None-Match: *` of writes. Throws NotImplemented for any other If-None-Match, as AWS does. */
export function writeConditions(headers: Headers): WriteConditions {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*') throw headerNotImplemented('If-None-Match')
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: conditionEtag(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: '*' as const }),
  }
}

export function hasConditions(conditions: WriteConditions): boolean {
  return conditions.ifMatch !== undefined || conditions.ifNoneMatch !== undefined
}

/**
 * The same decision as the catalog's, made early on what was just read, so that a client learns it before it sends
 * a body. The catalog decides again. Throws NoSuchKey (If-Match without object) and PreconditionFailed.
 */
export function checkWrite(
  conditions: WriteConditions,
  current: { readonly etag: string } | undefined,
): void {
  if (conditions.ifMatch !== undefined) {
    if (current === undefined) throw new S3Error('NoSuchKey')
    if (conditions.ifMatch !== '*' && conditions.ifMatch !== current.etag)
      throw preconditionFailed('If-Match')
  }
  if (conditions.ifNoneMatch !== undefined && current !== undefined) throw preconditionFailed('If-None-Match')
}
