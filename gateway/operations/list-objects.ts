/** ListObjects (version 1): pages named by keys. */
import { gatewayLimits } from '../limits.ts'
import { defineOperation } from '../operation.ts'
import { invalidArgument } from '../s3/errors.ts'
import { decodeListing, emptyPage, encodeContents, encodePrefixes } from '../s3/listing.ts'
import { lastOf } from '../s3/paging.ts'
import { document, element } from '../s3/xml.ts'

export const listObjects = defineOperation({
  name: 'ListObjects',
  method: 'GET',
  target: 'bucket',
  action: 's3:ListBucket',
  body: 'none',
  decode: (request) => {
    const version = request.param('list-type')
    if (version !== undefined) throw invalidArgument('list-type', version, 'list-type must be 2')
    return { ...decodeListing(request, gatewayLimits), marker: request.param('marker') ?? '' }
  },
  call: async ({ prefix, delimiter, pageSize, marker }, { store, bucket, call }) => {
    if (pageSize === 0) return emptyPage
    return store.listObjects({ bucket, prefix, delimiter, after: marker, limit: pageSize }, call)
  },
  encode: (page, input, { bucket, identity }) => {
    const { encode } = input
    const last = lastOf(
      page.items.map((item) => item.key),
      page.commonPrefixes,
    )
    // AWS names the next page only when keys were rolled up; otherwise clients take the last key.
    const next = page.truncated && input.delimiter !== '' ? encode(last) : undefined
    return {
      status: 200,
      body: document(
        'ListBucketResult',
        element('Name', bucket.name),
        element('Prefix', encode(input.prefix)),
        element('Marker', encode(input.marker)),
        element('NextMarker', next),
        element('MaxKeys', input.pageSize),
        element('Delimiter', input.delimiter === '' ? undefined : encode(input.delimiter)),
        element('EncodingType', input.encodingType),
        element('IsTruncated', page.truncated),
        encodeContents(page.items, { encode, caller: identity }),
        encodePrefixes(page.commonPrefixes, encode),
      ),
    }
  },
})
