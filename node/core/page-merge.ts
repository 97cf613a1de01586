/**
 * Merges the pages of several catalog groups into one, as if a single catalog had listed.
 *
 * Every group lists its own keys in byte order; a common prefix may come from several. Invariant: nothing is passed
 * over: the merged page ends where the first truncated group's knowledge ends, and says so.
 */
import { compareBytes } from './byte-order.ts'
import type { Page } from './catalog-types.ts'

/** The last entry of a page: where the next one begins. */
export type LastEntry<T> = { readonly item: T } | { readonly commonPrefix: string }

export interface MergedPage<T> extends Page<T> {
  /** undefined: the page is empty. The next page begins behind it; set also when the listing is complete. */
  readonly last: LastEntry<T> | undefined
}

interface Listed {
  readonly key: string
  readonly uploadId?: string
  readonly versionId?: string
  readonly modifiedMs?: number
}

type Entry<T> = { readonly key: string; readonly listed: Listed | undefined } & LastEntry<T>

/**
 * One page of at most `limit` entries (items and common prefixes together) from pages that were all asked with the
 * same question and at least this limit. `limit` 0: empty, not truncated.
 */
export function mergePages<T extends Listed>(pages: readonly Page<T>[], limit: number): MergedPage<T> {
  const items: T[] = []
  const commonPrefixes: string[] = []
  if (limit === 0) return { items, commonPrefixes, truncated: false, last: undefined }
  const runs = pages.map((page) => ({ entries: entriesOf(page), truncated: page.truncated }))
  const horizon = runs
    .map((run) => (run.truncated ? run.entries.at(-1) : undefined))
    .reduce(earlier, undefined)
  const blind = runs.some((run) => run.truncated && run.entries.length === 0)
  const merged = blind ? [] : runs.flatMap((run) => run.entries).sort(compareEntries)

  let last: Entry<T> | undefined
  for (const entry of merged) {
    if (last !== undefined && compareEntries(last, entry) === 0) continue
    const full = items.length + commonPrefixes.length === limit
    if (full || (horizon !== undefined && compareEntries(entry, horizon) > 0)) {
      return { items, commonPrefixes, truncated: true, last: lastOf(last) }
    }
    if ('item' in entry) items.push(entry.item)
    else commonPrefixes.push(entry.commonPrefix)
    last = entry
  }
  return { items, commonPrefixes, truncated: runs.some((run) => run.truncated), last: lastOf(last) }
}

function entriesOf<T extends Listed>(page: Page<T>): Entry<T>[] {
  const items = page.items.map((item) => ({ key: item.key, listed: item, item }))
  const prefixes = page.commonPrefixes.map((commonPrefix) => ({
    key: commonPrefix,
    listed: undefined,
    commonPrefix,
  }))
  return [...items, ...prefixes].sort(compareEntries)
}

function compareEntries(a: Entry<unknown>, b: Entry<unknown>): number {
  return compareBytes(a.key, b.key) || compareWithinKey(a.listed, b.listed)
}

/** Uploads by their ids, versions newest first. */
function compareWithinKey(a: Listed | undefined, b: Listed | undefined): number {
  return (
    compareBytes(a?.uploadId ?? '', b?.uploadId ?? '') ||
    (b?.modifiedMs ?? 0) - (a?.modifiedMs ?? 0) ||
    compareBytes(a?.versionId ?? '', b?.versionId ?? '')
  )
}

function earlier<T>(a: Entry<T> | undefined, b: Entry<T> | undefined): Entry<T> | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareEntries(a, b) <= 0 ? a : b
}

function lastOf<T>(entry: Entry<T> | undefined): LastEntry<T> | undefined {
  if (entry === undefined) return undefined
  return 'item' in entry ? { item: entry.item } : { commonPrefix: entry.commonPrefix }
}
