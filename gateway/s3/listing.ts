/** What both object listings share: query fields, entries and common prefixes as XML. */
import type { Checksum, ListedObject, Page } from '../../node/core/catalog-types.ts'
import type { Identity } from '../auth/identity.ts'
import type { GatewayLimits } from '../limits.ts'
import type { S3Request } from '../operation.ts'
import { isoDate } from './dates.ts'
import { invalidArgument } from './errors.ts'
import { checkKey } from './names.ts'
import { owner } from './owner.ts'
import { type NameEncoder, parseEncoding, parsePageSize } from './paging.ts'
import { element, wrap } from './xml.ts'

export interface ListingQuery {
  readonly prefix: string
  readonly delimiter: string
  readonly encodingType: 'url' | undefined
  readonly encode: NameEncoder
  readonly pageSize: number
}

export const emptyPage: Page<ListedObject> = { items: [], commonPrefixes: [], truncated: false }

/** Throws InvalidArgument. */
export function decodeListing(
  request: S3Request,
  limits: Pick<GatewayLimits, 'listEntriesMax'>,
): ListingQuery {
  const prefix = request.param('prefix') ?? ''
  for (const name of ['prefix', 'delimiter', 'marker', 'start-after']) {
    const value = request.param(name)
    checkKey(value ?? '')
    if (value?.includes('\0'))
      throw invalidArgument(name, value, `Argument ${name} must not contain a NUL character`)
  }
  // Ceph's extension: any order will do, ours too, but then nothing can be rolled up.
  if (request.param('allow-unordered') === 'true' && (request.param('delimiter') ?? '') !== '') {
    throw invalidArgument('allow-unordered', 'true', 'An unordered listing cannot have a delimiter')
  }
  const { type, encode } = parseEncoding(request.param('encoding-type'))
  return {
    prefix,
    delimiter: request.param('delimiter') ?? '',
    encodingType: type,
    encode,
    pageSize: parsePageSize('max-keys', request.param('max-keys'), limits.listEntriesMax),
  }
}

export function checksumElements(checksum: Pick<Checksum, 'algorithm' | 'type'> | undefined): string {
  if (checksum === undefined) return ''
  return element('ChecksumAlgorithm', checksum.algorithm) + element('ChecksumType', checksum.type)
}

/** `caller` undefined: owners are not shown. */
export function encodeContents(
  items: readonly ListedObject[],
  { encode, caller }: { encode: NameEncoder; caller: Identity | undefined },
): string {
  let markup = ''
  for (const item of items) {
    markup += wrap(
      'Contents',
      element('Key', encode(item.key)),
      element('LastModified', isoDate(item.modifiedMs)),
      element('ETag', `"${item.etag}"`),
      checksumElements(item.checksum),
      element('Size', item.bytes),
      caller === undefined ? '' : owner('Owner', item.ownerId, caller),
      element('StorageClass', 'STANDARD'),
    )
  }
  return markup
}

export function encodePrefixes(prefixes: readonly string[], encode: NameEncoder): string {
  return prefixes.map((prefix) => wrap('CommonPrefixes', element('Prefix', encode(prefix)))).join('')
}
