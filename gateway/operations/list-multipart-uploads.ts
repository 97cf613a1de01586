/** ListMultipartUploads: uploads in progress, by key and upload id. */
import type { ListedUpload, Page } from '../../node/core/catalog-types.ts'
import { type Account, accountsNamed } from '../accounts.ts'
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
  call: async (input, { store, bucket, call, accounts }) => {
    const { prefix, delimiter, keyMarker, uploadIdMarker, pageSize } = input
    const query = { bucket, prefix, delimiter, afterKey: keyMarker, afterUploadId: uploadIdMarker }
    const page = pageSize === 0 ? emptyPage : await store.listUploads({ ...query, limit: pageSize }, call)
    const owners = await accountsNamed(
      page.items.map((item) => item.ownerId),
      accounts,
    )
    return { ...page, owners }
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
        ...page.items.map((item) =>
          encodeUpload(item, encode, { caller: identity, account: page.owners.get(item.ownerId) }),
        ),
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

function encodeUpload(
  item: ListedUpload,
  encode: NameEncoder,
  { caller, account }: { caller: Identity; account: Account | undefined },
): string {
  return wrap(
    'Upload',
    element('Key', encode(item.key)),
    element('UploadId', item.uploadId),
    owner('Initiator', item.ownerId, caller, account),
    owner('Owner', item.ownerId, caller, account),
    element('StorageClass', 'STANDARD'),
    element('Initiated', isoDate(item.startedMs)),
    checksumElements(item.checksum),
  )
}
