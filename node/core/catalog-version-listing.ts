/**
 * Listing all versions and delete markers: by key in byte order, newest first within a key.
 *
 * Current versions, current markers and noncurrent ones lie in three families of rows, each in the order of keys; this
 * walks them side by side. Invariant: the three scans of a stretch start in one turn of the event loop, so all that is
 * shown of a key is of one moment, and nothing is passed over or told twice while versions move.
 */

import type { WriteRules } from './bucket-configuration.ts'
import { compareBytes, prefixEnd } from './byte-order.ts'
import { entryOf, findEntry, isMarker } from './catalog-history.ts'
import { commonPrefixOf } from './catalog-listing.ts'
import { escapeKey, type HistoryRow, rowFamilies, rowKeys } from './catalog-rows.ts'
import type { CatalogQuery, ListedObject, ListedVersion, Page, Version } from './catalog-types.ts'
import { decodedRows } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { Row, RowRange, RowSource } from './rows.ts'

type Query = Extract<CatalogQuery, { kind: 'list-versions' }>

/** Where a stretch of the listing begins: a row key in each family, inclusive. */
interface Start {
  readonly objects: string
  readonly markers: string
  readonly histories: string
}

interface Listed {
  readonly key: string
  readonly row: HistoryRow
  readonly isLatest: boolean
}

/** One page; `limit` 0: an empty page that is not truncated. */
export async function listVersions(
  source: RowSource,
  query: Query,
  rules: WriteRules,
): Promise<Page<ListedVersion>> {
  const items: ListedVersion[] = []
  const commonPrefixes: string[] = []
  let start: Start | undefined = query.limit === 0 ? undefined : startAfter(source, query, rules)
  while (start !== undefined) {
    const room = query.limit - items.length - commonPrefixes.length
    const stretch = walk(source, query, { start, limit: room + 1, rules })
    start = undefined
    for await (const { key, row, isLatest } of stretch) {
      if (items.length + commonPrefixes.length === query.limit)
        return { items, commonPrefixes, truncated: true }
      const rolled = commonPrefixOf(key, query)
      if (rolled === undefined) items.push(listedVersion(row, isLatest))
      else {
        commonPrefixes.push(rolled)
        start = startAt(query.bucketId, { text: rolled, behind: true })
        break
      }
    }
  }
  return { items, commonPrefixes, truncated: false }
}

export function listedObject(version: Version): ListedObject {
  const { key, versionId, bytes, etag, modifiedMs, ownerId, checksum } = version
  return { key, versionId, bytes, etag, modifiedMs, ownerId, ...(checksum === undefined ? {} : { checksum }) }
}

function listedVersion(row: HistoryRow, isLatest: boolean): ListedVersion {
  const versioned = entryOf(row).versioned === true ? ({ versioned: true } as const) : {}
  return isMarker(row)
    ? { kind: 'marker', ...row.marker, isLatest, ...versioned }
    : { kind: 'version', ...listedObject(row.version), ...tagsOf(row.version), isLatest, ...versioned }
}

/** For lifecycle rules, which filter by them. */
function tagsOf({ tags }: Version): Pick<Version, 'tags'> {
  return tags === undefined ? {} : { tags }
}

/** Rows of the three families in the order of the listing; at least `limit` of them if there are so many. */
async function* walk(
  source: RowSource,
  query: Query,
  stretch: { readonly start: Start; readonly limit: number; readonly rules: WriteRules },
): AsyncGenerator<Listed> {
  const { bucketId } = query
  const { start, limit, rules } = stretch
  const prefix = startAt(bucketId, { text: query.prefix, behind: false })
  const range = (from: string, family: string): RowRange => ({
    gte: compareBytes(from, family) > 0 ? from : family,
    lt: prefixEnd(family),
    limit,
  })
  const families = [{ range: range(start.objects, prefix.objects), isLatest: true }]
  if (rules.versioning !== 'Off') {
    families.push({ range: range(start.markers, prefix.markers), isLatest: true })
    families.push({ range: range(start.histories, prefix.histories), isLatest: false })
  }
  const runs = families.map(({ range: rows, isLatest }) => {
    return { iterator: source.scan(rows)[Symbol.asyncIterator](), isLatest }
  })
  try {
    const heads = await Promise.all(runs.map((run) => head(run)))
    for (;;) {
      let first: Listed | undefined
      let at = 0
      heads.forEach((listed, index) => {
        // The current one comes before the others of its key: it stands further to the left.
        if (listed === undefined || (first !== undefined && compareBytes(listed.key, first.key) >= 0)) return
        first = listed
        at = index
      })
      const run = runs[at]
      if (first === undefined || run === undefined) return
      yield first
      heads[at] = await head(run)
    }
  } finally {
    await Promise.all(runs.map((run) => run.iterator.return?.()))
  }
}

async function head(run: { iterator: AsyncIterator<Row>; isLatest: boolean }): Promise<Listed | undefined> {
  const next = await run.iterator.next()
  if (next.done === true) return undefined
  const row = decodeRow<HistoryRow>(next.value.value)
  return { key: entryOf(row).key, row, isLatest: run.isLatest }
}

/** Behind the markers that the client gives: a common prefix, all of a key, or a version of it. */
function startAfter(source: RowSource, query: Query, rules: WriteRules): Start {
  const { bucketId, afterKey, afterVersionId } = query
  if (afterKey === '') return startAt(bucketId, { text: '', behind: false })
  if (commonPrefixOf(afterKey, query) === afterKey) return startAt(bucketId, { text: afterKey, behind: true })
  const name = { bucketId, key: afterKey }
  const history = rowKeys.historyOf(name)
  // U+0000 makes the smallest key above.
  const behindKey = startAt(bucketId, { text: `${afterKey}\u0000`, behind: false })
  if (afterVersionId === '') return { ...behindKey, histories: prefixEnd(history) }
  const found = findEntry(decodedRows(source), name, { versionId: afterVersionId, rules })
  if (found === undefined)
    return { ...startAt(bucketId, { text: afterKey, behind: false }), histories: history }
  const histories = found.current ? history : `${rowKeys.noncurrent(name, entryOf(found.row))}\u0000`
  return { ...behindKey, histories }
}

/** The first row of each family whose key begins with `text`, or the first behind all of these. */
function startAt(bucketId: string, { text, behind }: { text: string; behind: boolean }): Start {
  const end = behind ? prefixEnd : (rowKey: string) => rowKey
  return {
    objects: end(rowFamilies.objectsOf(bucketId) + text),
    markers: end(rowFamilies.markersOf(bucketId) + text),
    histories: end(rowFamilies.historiesOf(bucketId) + escapeKey(text)),
  }
}
