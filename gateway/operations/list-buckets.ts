/** ListBuckets: the caller's own buckets, in pages. */
import type { Bucket } from '../../node/core/registry-types.ts'
import { gatewayLimits } from '../limits.ts'
import { defineServiceOperation } from '../operation.ts'
import { isoDate } from '../s3/dates.ts'
import { invalidArgument } from '../s3/errors.ts'
import { owner } from '../s3/owner.ts'
import { decodeToken, encodeToken, parsePositiveSize } from '../s3/paging.ts'
import { document, element, wrap } from '../s3/xml.ts'

export const listBuckets = defineServiceOperation({
  name: 'ListBuckets',
  method: 'GET',
  target: 'service',
  action: 's3:ListAllMyBuckets',
  anyRegion: true,
  anonymousToo: true,
  body: 'none',
  decode: (request) => {
    const token = request.param('continuation-token')
    return {
      prefix: request.param('prefix') ?? '',
      region: request.param('bucket-region'),
      after: token === undefined || token === '' ? '' : decodeBucketToken(token),
      pageSize: parseMaxBuckets(request.param('max-buckets')),
    }
  },
  call: async (input, context) => {
    if (input.region !== undefined && input.region !== '' && input.region !== context.region) {
      return nothing
    }
    if (context.identity.kind === 'anonymous') return nothing
    if (!/^[a-z0-9.-]*$/.test(input.prefix)) return nothing
    return collect(input, async (after, limit) =>
      context.store.listBuckets({ ownerId: context.identity.accountId, after, limit }, context.call),
    )
  },
  encode: ({ buckets, next }, input, { identity, region }) => ({
    status: 200,
    body: document(
      'ListAllMyBucketsResult',
      owner('Owner', identity.accountId, identity),
      wrap('Buckets', ...buckets.map((bucket) => encodeBucket(bucket, region))),
      element('Prefix', input.prefix === '' ? undefined : input.prefix),
      element('ContinuationToken', next),
    ),
  }),
})

/** 1 to 10,000; larger ones are refused, not cut, unlike the sizes of other listings. Throws InvalidArgument. */
function parseMaxBuckets(text: string | undefined): number {
  const { listBucketsMax } = gatewayLimits
  const size = parsePositiveSize('max-buckets', text, listBucketsMax + 1)
  if (text === undefined || text === '') return listBucketsMax
  if (size <= listBucketsMax) return size
  throw invalidArgument(
    'max-buckets',
    text,
    `Argument max-buckets must be an integer between 1 and ${listBucketsMax}`,
  )
}

const nothing: { buckets: Bucket[]; next: string | undefined } = { buckets: [], next: undefined }

/** Throws InvalidArgument for a token that names no bucket. */
function decodeBucketToken(token: string): string {
  const after = decodeToken(token)
  if (/^[a-z0-9.~-]{0,64}$/.test(after)) return after
  throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect')
}

function encodeBucket(bucket: Bucket, region: string): string {
  return wrap(
    'Bucket',
    element('Name', bucket.name),
    element('CreationDate', isoDate(bucket.createdMs)),
    element('BucketRegion', region),
  )
}

/** Bucket names are ordered: a prefix is a run of them, which begins right after the last name below it. */
async function collect(
  input: { prefix: string; after: string; pageSize: number },
  list: (after: string, limit: number) => Promise<{ buckets: readonly Bucket[]; truncated: boolean }>,
): Promise<{ buckets: Bucket[]; next: string | undefined }> {
  const found: Bucket[] = []
  // Names that sort before the prefix cannot carry it: begin just below it.
  let after = input.after > input.prefix ? input.after : justBelow(input.prefix)
  for (;;) {
    const page = await list(
      after,
      Math.min(input.pageSize + 1 - found.length, gatewayLimits.listBucketsFetch),
    )
    for (const bucket of page.buckets) {
      if (bucket.name.startsWith(input.prefix)) found.push(bucket)
      after = bucket.name
    }
    if (found.length > input.pageSize) {
      const shown = found.slice(0, input.pageSize)
      return { buckets: shown, next: encodeToken(shown.at(-1)?.name ?? '') }
    }
    const past = after > input.prefix && !after.startsWith(input.prefix)
    if (!page.truncated || past || page.buckets.length === 0) return { buckets: found, next: undefined }
  }
}

/** A text that sorts before `prefix` and after every bucket name that does; names hold no character above `z`. */
function justBelow(prefix: string): string {
  if (prefix === '') return ''
  const last = prefix.charCodeAt(prefix.length - 1)
  return `${prefix.slice(0, -1)}${String.fromCharCode(last - 1)}~`
}
