/**
 * Conditional headers of reads, copies and writes, decided in AWS's order of precedence. Pure.
 *
 * Source: RFC 9110 section 13.2.2; AWS, GetObject and CopyObject: If-Match true beats If-Unmodified-Since false,
 * If-None-Match false beats If-Modified-Since true. Times have whole seconds, like Last-Modified.
 */
import type { WriteConditions } from '../../node/core/catalog-types.ts'
import { gatewayLimits } from '../limits.ts'
import { parseHttpDate } from './dates.ts'
import { invalidArgument, S3Error } from './errors.ts'

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

/**
 * `If-Match` and `If-None-Match` of writes. AWS documents `*` as the only value of If-None-Match and refuses others; an
 * ETag has the meaning that RFC 9110 gives it.
 */
export function writeConditions(headers: Headers): WriteConditions {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: conditionEtag(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: conditionEtag(ifNoneMatch) }),
  }
}

const sizeHeader = 'x-amz-if-match-size'
const timeHeader = 'x-amz-if-match-last-modified-time'

/** Conditions of DeleteObject. Throws InvalidArgument for a size or time that is none. */
export function deleteConditions(headers: Headers): WriteConditions {
  const { 'if-match': ifMatch, [sizeHeader]: size, [timeHeader]: time } = headers
  if (size !== undefined && !/^\d{1,15}$/.test(size)) {
    throw invalidArgument(sizeHeader, size, 'The size must be a non-negative integer')
  }
  const modifiedMs = time === undefined ? undefined : parseHttpDate(time)
  if (time !== undefined && modifiedMs === undefined) {
    throw invalidArgument(timeHeader, time, 'The time must be an HTTP date')
  }
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: conditionEtag(ifMatch) }),
    ...(size === undefined ? {} : { ifMatchBytes: Number(size) }),
    ...(modifiedMs === undefined ? {} : { ifMatchModifiedMs: modifiedMs }),
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
  { ifMatch, ifNoneMatch }: WriteConditions,
  current: { readonly etag: string } | undefined,
): void {
  if (ifMatch !== undefined) {
    if (current === undefined) throw new S3Error('NoSuchKey')
    if (ifMatch !== '*' && ifMatch !== current.etag) throw preconditionFailed('If-Match')
  }
  if (ifNoneMatch === undefined || current === undefined) return
  if (ifNoneMatch === '*' || ifNoneMatch === current.etag) throw preconditionFailed('If-None-Match')
}
