/** ListMultipartUploads: uploads in progress, by key and upload id. */
import type { ListedUpload, Page } from '../../node/core/catalog-types.ts'
import type { Identity } from '../auth/identity.ts'
import { gatewayLimits } from '../limits.ts'
import { defineOperation } from '../operation.ts'
import { isoDate } from '../s3/dates.ts'
import { checksumElements, encodePrefixes } from '../s3/listing.ts'
import { checkKey, parseUploadIdMarker } from '../s3/names.ts'
import { owner } from '../s3/owner.ts'
import { compareKeys, type NameEncoder, parseEncoding, parsePageSize } from '../s3/paging.ts'
import { document, element, wrap } from '../s3/xml.ts'

const emptyPage: Page<ListedUpload> = { items: [], commonPrefixes: [], truncated: false }

export const listMultipartUploads = defineOperation({
  name: 'ListMultipartUploads',
  method: 'GET',
  target: 'bucket',
  subresource: 'uploads',
  action: 's3:ListBucketMultipartUploads',
  body: 'none',
  decode: (request) => {
    const keyMarker = request.param('key-marker') ?? ''
    for (const name of ['prefix', 'delimiter', 'key-marker']) checkKey(request.param(name) ?? '')
    const { type, encode } = parseEncoding(request.param('encoding-type'))
    return {
      prefix: request.param('prefix') ?? '',
      delimiter: request.param('delimiter') ?? '',
      keyMarker,
      // Without a key it means nothing, as AWS documents.
      uploadIdMarker: keyMarker === '' ? '' : parseUploadIdMarker(request.param('upload-id-marker')),
      pageSize: parsePageSize('max-uploads', request.param('max-uploads'), gatewayLimits.listEntriesMax),
      encodingType: type,
      encode,
    }
  },
  call: async (input, { store, bucket, call }) => {
    const { prefix, delimiter, keyMarker, uploadIdMarker, pageSize } = input
    if (pageSize === 0) return emptyPage
    return store.listUploads(
      { bucket, prefix, delimiter, afterKey: keyMarker, afterUploadId: uploadIdMarker, limit: pageSize },
      call,
    )
  },
  encode: (page, input, { bucket, identity }) => {
    const { encode } = input
    const next = nextMarkers(page)
    return {
      status: 200,
      body: document(
        'ListMultipartUploadsResult',
        element('Bucket', bucket.name),
        element('KeyMarker', encode(input.keyMarker)),
        element('UploadIdMarker', input.uploadIdMarker),
        element('NextKeyMarker', page.truncated ? encode(next.key) : undefined),
        element('NextUploadIdMarker', page.truncated ? next.uploadId : undefined),
        element('Prefix', encode(input.prefix)),
        element('Delimiter', input.delimiter === '' ? undefined : encode(input.delimiter)),
        element('EncodingType', input.encodingType),
        element('MaxUploads', input.pageSize),
        element('IsTruncated', page.truncated),
        ...page.items.map((item) => encodeUpload(item, encode, identity)),
        encodePrefixes(page.commonPrefixes, encode),
      ),
    }
  },
})

/** The last entry of the page: an upload, or a common prefix, which has no upload id. */
function nextMarkers(page: Page<ListedUpload>): { key: string; uploadId: string } {
  const item = page.items.at(-1)
  const prefix = page.commonPrefixes.at(-1)
  if (item === undefined || (prefix !== undefined && compareKeys(prefix, item.key) > 0)) {
    return { key: prefix ?? '', uploadId: '' }
  }
  return { key: item.key, uploadId: item.uploadId }
}

function encodeUpload(item: ListedUpload, encode: NameEncoder, caller: Identity): string {
  return wrap(
    'Upload',
    element('Key', encode(item.key)),
    element('UploadId', item.uploadId),
    owner('Initiator', item.ownerId, caller),
    owner('Owner', item.ownerId, caller),
    element('StorageClass', 'STANDARD'),
    element('Initiated', isoDate(item.startedMs)),
    checksumElements(item.checksum),
  )
}
