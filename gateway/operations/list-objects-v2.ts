/** ListObjectsV2: keys in byte order, in pages named by opaque tokens. */
import { gatewayLimits } from '../limits.ts'
import { defineOperation } from '../operation.ts'
import { decodeListing, emptyPage, encodeContents, encodePrefixes } from '../s3/listing.ts'
import { checkKey } from '../s3/names.ts'
import { decodeToken, encodeToken, lastOf } from '../s3/paging.ts'
import { document, element } from '../s3/xml.ts'

export const listObjectsV2 = defineOperation({
  name: 'ListObjectsV2',
  method: 'GET',
  target: 'bucket',
  needs: { queryIs: ['list-type', '2'] },
  action: 's3:ListBucket',
  body: 'none',
  decode: (request) => ({
    ...decodeListing(request, gatewayLimits),
    token: request.param('continuation-token'),
    startAfter: request.param('start-after'),
    fetchOwner: request.param('fetch-owner') === 'true',
  }),
  call: async ({ prefix, delimiter, pageSize, token, startAfter }, { store, bucket, call }) => {
    // An empty token is none: it comes from clients that always send one.
    const after = token === undefined || token === '' ? (startAfter ?? '') : decodeToken(token)
    checkKey(after)
    if (pageSize === 0) return emptyPage
    return store.listObjects({ bucket, prefix, delimiter, after, limit: pageSize }, call)
  },
  encode: (page, input, { bucket, identity }) => {
    const { encode } = input
    const last = lastOf(
      page.items.map((item) => item.key),
      page.commonPrefixes,
    )
    return {
      status: 200,
      body: document(
        'ListBucketResult',
        element('Name', bucket.name),
        element('Prefix', encode(input.prefix)),
        element('Delimiter', input.delimiter === '' ? undefined : encode(input.delimiter)),
        element('MaxKeys', input.pageSize),
        element('EncodingType', input.encodingType),
        element('KeyCount', page.items.length + page.commonPrefixes.length),
        element('IsTruncated', page.truncated),
        element('ContinuationToken', input.token),
        element('NextContinuationToken', page.truncated ? encodeToken(last) : undefined),
        element('StartAfter', input.startAfter === undefined ? undefined : encode(input.startAfter)),
        encodeContents(page.items, { encode, caller: input.fetchOwner ? identity : undefined }),
        encodePrefixes(page.commonPrefixes, encode),
      ),
    }
  },
})
