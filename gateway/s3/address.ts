/**
 * From request target and Host to bucket, key and query: path style and virtual-host style. Pure; decodes once.
 */
import { S3Error } from './errors.ts'

/** Decoded names and values in the order sent. */
export type QueryPairs = readonly (readonly [name: string, value: string])[]

export interface Address {
  /** As sent, without query: signatures are made over it. */
  readonly rawPath: string
  readonly query: QueryPairs
  /** `''`: none. */
  readonly bucket: string
  /** `''`: none. */
  readonly key: string
  readonly virtualHost: boolean
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new S3Error('InvalidURI', undefined, { cause: error })
  }
}

/** A `+` in a query means a space; clients that mean a plus send `%2B`. */
export function parseQuery(raw: string): QueryPairs {
  if (raw === '') return []
  const pairs: [string, string][] = []
  for (const piece of raw.split('&')) {
    if (piece === '') continue
    const plain = piece.includes('+') ? piece.replaceAll('+', ' ') : piece
    const at = plain.indexOf('=')
    pairs.push(at < 0 ? [decode(plain), ''] : [decode(plain.slice(0, at)), decode(plain.slice(at + 1))])
  }
  return pairs
}

/** First value of `name`; undefined when absent, `''` when it has no value. */
export function queryValue(query: QueryPairs, name: string): string | undefined {
  for (const pair of query) if (pair[0] === name) return pair[1]
  return undefined
}

/** The bucket that a Host header names: `<bucket>.<domain>[:port]` for one of our domains. `''`: path style. */
export function bucketOfHost(host: string | undefined, domains: readonly string[]): string {
  if (host === undefined) return ''
  const colon = host.lastIndexOf(':')
  const name = (colon > host.lastIndexOf(']') ? host.slice(0, colon) : host).toLowerCase()
  // Longest domain first, so that `s3.localhost` is an endpoint and not the bucket `s3` of `localhost`.
  let best = ''
  for (const domain of domains) {
    if (name === domain) return ''
    if (name.endsWith(`.${domain}`) && domain.length > best.length) best = domain
  }
  return best === '' ? '' : name.slice(0, -best.length - 1)
}

/** `url`: the request target as sent. Throws InvalidURI for escapes that are not UTF-8 and for foreign forms. */
export function parseAddress(url: string, host: string | undefined, domains: readonly string[]): Address {
  if (!url.startsWith('/')) throw new S3Error('InvalidURI')
  const mark = url.indexOf('?')
  const rawPath = mark < 0 ? url : url.slice(0, mark)
  const query = mark < 0 ? [] : parseQuery(url.slice(mark + 1))
  const hostBucket = bucketOfHost(host, domains)
  if (hostBucket !== '') {
    return { rawPath, query, bucket: hostBucket, key: decode(rawPath.slice(1)), virtualHost: true }
  }
  const slash = rawPath.indexOf('/', 1)
  const bucket = decode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash))
  return {
    rawPath,
    query,
    bucket,
    key: slash < 0 ? '' : decode(rawPath.slice(slash + 1)),
    virtualHost: false,
  }
}
