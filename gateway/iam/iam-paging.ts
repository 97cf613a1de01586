/**
 * Pages of IAM's lists: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out. A marker is the name after which the
 * next page begins, encoded so that nobody takes it for one.
 */
import { element } from '../s3/xml.ts'
import { invalidParameter } from './query-error.ts'
import type { QueryForm } from './query-form.ts'

export interface PageRequest {
  /** `''`: from the beginning. */
  readonly after: string
  readonly limit: number
}

/** AWS: 100 by default, 1,000 at most. Throws ValidationError. */
export function pageRequest(form: QueryForm): PageRequest {
  const limit = form.integer('MaxItems', { min: 1, max: 1000 }) ?? 100
  const marker = form.optional('Marker') ?? ''
  const after = Buffer.from(marker, 'base64url').toString('utf8')
  if (Buffer.from(after, 'utf8').toString('base64url') !== marker) {
    throw invalidParameter('Marker', marker, 'the form of a marker')
  }
  return { after, limit }
}

/** `next`: after which name the next page begins; undefined: this was the last. */
export function pageEnd(next: string | undefined): string {
  const marker = next === undefined ? undefined : Buffer.from(next, 'utf8').toString('base64url')
  return element('IsTruncated', next !== undefined) + element('Marker', marker)
}

/** A page of a list that is at hand, in the order of its keys. */
export function pageOf<T>(
  all: readonly T[],
  { after, limit }: PageRequest,
  keyOf: (item: T) => string,
): { page: readonly T[]; next: string | undefined } {
  const rest = [...all]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .filter((item) => after === '' || keyOf(item) > after)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return { page, next: rest.length > limit && last !== undefined ? keyOf(last) : undefined }
}
