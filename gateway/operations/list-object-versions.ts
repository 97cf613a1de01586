/** ListObjectVersions: all versions and delete markers, by key and newest first within one. */
import type { ListedVersion, Page } from '../../node/core/catalog-types.ts'
import type { Identity } from '../auth/identity.ts'
import { gatewayLimits } from '../limits.ts'
import { shownVersionId } from '../object/object-store.ts'
import { defineOperation, type S3Request } from '../operation.ts'
import { isoDate } from '../s3/dates.ts'
import { invalidArgument } from '../s3/errors.ts'
import { checksumElements, decodeListing, encodePrefixes } from '../s3/listing.ts'
import { owner } from '../s3/owner.ts'
import { compareKeys, type NameEncoder } from '../s3/paging.ts'
import { storageClass } from '../s3/storage-class.ts'
import { parseVersionId } from '../s3/versions.ts'
import { document, element, wrap } from '../s3/xml.ts'

const emptyPage: Page<ListedVersion> = { items: [], commonPrefixes: [], truncated: false }

export const listObjectVersions = defineOperation({
  name: 'ListObjectVersions',
  method: 'GET',
  target: 'bucket',
  subresource: 'versions',
  action: 's3:ListBucketVersions',
  body: 'none',
  decode: (request) => ({ ...decodeListing(request, gatewayLimits), ...decodeMarkers(request) }),
  call: async (input, { store, bucket, call }) => {
    const { prefix, delimiter, keyMarker, versionIdMarker, pageSize } = input
    if (pageSize === 0) return emptyPage
    return store.listVersions(
      { bucket, prefix, delimiter, afterKey: keyMarker, afterVersionId: versionIdMarker, limit: pageSize },
      call,
    )
  },
  encode: (page, input, { bucket, identity }) => {
    const { encode } = input
    const next = page.truncated ? nextMarkers(page) : undefined
    return {
      status: 200,
      body: document(
        'ListVersionsResult',
        element('Name', bucket.name),
        element('Prefix', encode(input.prefix)),
        element('KeyMarker', encode(input.keyMarker)),
        element('VersionIdMarker', input.versionIdMarker),
        element('NextKeyMarker', next === undefined ? undefined : encode(next.key)),
        element('NextVersionIdMarker', next?.versionId),
        element('MaxKeys', input.pageSize),
        element('Delimiter', input.delimiter === '' ? undefined : encode(input.delimiter)),
        element('EncodingType', input.encodingType),
        element('IsTruncated', page.truncated),
        ...page.items.map((item) => encodeEntry(item, encode, identity)),
        encodePrefixes(page.commonPrefixes, encode),
      ),
    }
  },
})

/** A version is a place within its key only. Throws InvalidArgument. */
function decodeMarkers(request: S3Request): { keyMarker: string; versionIdMarker: string } {
  const keyMarker = request.param('key-marker') ?? ''
  const versionId = request.param('version-id-marker')
  if (versionId === undefined) return { keyMarker, versionIdMarker: '' }
  if (keyMarker === '') {
    throw invalidArgument(
      'version-id-marker',
      versionId,
      'A version-id marker cannot be specified without a key marker.',
    )
  }
  if (versionId === '') {
    throw invalidArgument('version-id-marker', '', 'A version-id marker cannot be empty.')
  }
  return { keyMarker, versionIdMarker: parseVersionId(versionId, 'version-id-marker') }
}

/** The last entry of the page: a version or marker, or a common prefix, which has no version id. */
function nextMarkers(page: Page<ListedVersion>): { key: string; versionId: string | undefined } {
  const item = page.items.at(-1)
  const prefix = page.commonPrefixes.at(-1)
  if (item === undefined || (prefix !== undefined && compareKeys(prefix, item.key) > 0)) {
    return { key: prefix ?? '', versionId: undefined }
  }
  return { key: item.key, versionId: shownVersionId(item) }
}

function encodeEntry(item: ListedVersion, encode: NameEncoder, caller: Identity): string {
  const names = [
    element('Key', encode(item.key)),
    element('VersionId', shownVersionId(item)),
    element('IsLatest', item.isLatest),
    element('LastModified', isoDate(item.modifiedMs)),
  ]
  if (item.kind === 'marker') return wrap('DeleteMarker', ...names, owner('Owner', item.ownerId, caller))
  return wrap(
    'Version',
    ...names,
    element('ETag', `"${item.etag}"`),
    checksumElements(item.checksum),
    element('Size', item.bytes),
    owner('Owner', item.ownerId, caller),
    element('StorageClass', storageClass),
  )
}
