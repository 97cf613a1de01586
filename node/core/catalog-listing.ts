/**
 * Listings: ordered rows rolled up to common prefixes, as ListObjects and ListMultipartUploads want them.
 *
 * Invariant: entries come in byte order, each common prefix once, and a listing reads about as many rows as it
 * returns: behind a common prefix it seeks, it does not walk through the keys that share it.
 */
import { compareBytes, prefixEnd } from './byte-order.ts'
import type { Page } from './catalog-types.ts'
import type { Row, RowSource } from './rows.ts'

/** What a listing walks over, and how its rows are read. */
export interface ListingSpec<T> {
  /** Row key of the first row that belongs to a key or a prefix of keys; must keep their order. */
  readonly rowKey: (key: string) => string
  readonly prefix: string
  readonly delimiter: string
  /** First row key to look at; a smaller one than the prefix's means the prefix's. */
  readonly from: string
  /** Items and common prefixes together. */
  readonly limit: number
  /** The object key of a row. */
  readonly keyOf: (row: Row) => string
  readonly read: (row: Row) => T
}

/** One page of a listing. `limit` 0: an empty page that is not truncated, as S3 answers `max-keys=0`. */
export async function listRows<T>(source: Pick<RowSource, 'scan'>, spec: ListingSpec<T>): Promise<Page<T>> {
  const items: T[] = []
  const commonPrefixes: string[] = []
  const first = spec.rowKey(spec.prefix)
  const lt = prefixEnd(first)
  let gte: string | undefined = compareBytes(spec.from, first) > 0 ? spec.from : first
  if (spec.limit === 0) return { items, commonPrefixes, truncated: false }
  while (gte !== undefined && compareBytes(gte, lt) < 0) {
    const range = { gte, lt, limit: spec.limit + 1 - items.length - commonPrefixes.length }
    gte = undefined
    for await (const row of source.scan(range)) {
      if (items.length + commonPrefixes.length === spec.limit)
        return { items, commonPrefixes, truncated: true }
      const rolled = commonPrefixOf(spec.keyOf(row), spec)
      if (rolled === undefined) items.push(spec.read(row))
      else {
        commonPrefixes.push(rolled)
        gte = prefixEnd(spec.rowKey(rolled))
        break
      }
    }
  }
  return { items, commonPrefixes, truncated: false }
}

/** The common prefix that a key is rolled up to: through the first delimiter behind the prefix; undefined: none. */
export function commonPrefixOf(key: string, by: { prefix: string; delimiter: string }): string | undefined {
  if (by.delimiter === '' || !key.startsWith(by.prefix)) return undefined
  const at = key.indexOf(by.delimiter, by.prefix.length)
  return at < 0 ? undefined : key.slice(0, at + by.delimiter.length)
}
