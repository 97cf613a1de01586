/**
 * Presigned URLs: the same signature with its fields in the query. Pure; the caller brings the time.
 *
 * Signers may hoist `x-amz-*` headers into the query: those are signed with it and count as headers.
 * Source: AWS, "Authenticating Requests: Using Query Parameters".
 */
import type { GatewayLimits } from '../limits.ts'
import { type QueryPairs, queryValue } from '../s3/address.ts'
import { checksumAlgorithms, checksums } from '../s3/checksum.ts'
import { parseAmzDate } from '../s3/dates.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import { algorithm, type CredentialScope, parseCredential } from './sigv4.ts'

export const signatureQuery = 'X-Amz-Signature'

export interface PresignedQuery {
  readonly scope: CredentialScope
  readonly amzDate: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

export function isPresigned(query: QueryPairs): boolean {
  return query.some(([name]) => name === 'X-Amz-Algorithm' || name === signatureQuery)
}

function malformed(message: string, details: Record<string, string> = {}): S3Error {
  return new S3Error('AuthorizationQueryParametersError', message, { details })
}

/**
 * A life that no URL can have. AWS documents the range and no answer; ceph's suite wants 403, as for one that has ended.
 */
function unusable(message: string): S3Error {
  return new S3Error('AccessDenied', message)
}

function field(query: QueryPairs, name: string): string {
  const value = queryValue(query, name)
  if (value === undefined || value === '') {
    throw malformed(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    )
  }
  return value
}

/** Throws AuthorizationQueryParametersError, AccessDenied (expired, not yet valid). `nowMs`: wall clock; `region` undefined: any. */
export function parsePresigned(
  query: QueryPairs,
  expected: { region: string | undefined; nowMs: number; limits: GatewayLimits },
): PresignedQuery {
  if (field(query, 'X-Amz-Algorithm') !== algorithm) {
    throw malformed(`X-Amz-Algorithm only supports "${algorithm}"`)
  }
  const scope = parseCredential(field(query, 'X-Amz-Credential'))
  if (scope === undefined) {
    throw malformed(
      'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    )
  }
  const amzDate = field(query, 'X-Amz-Date')
  const signedHeaders = field(query, 'X-Amz-SignedHeaders').toLowerCase().split(';')
  const signature = field(query, signatureQuery)
  checkScope(scope, amzDate, expected.region)
  checkLife(amzDate, field(query, 'X-Amz-Expires'), expected)
  return { scope, amzDate, signedHeaders, signature }
}

function checkScope(scope: CredentialScope, amzDate: string, region: string | undefined): void {
  if (region !== undefined && scope.region !== region) {
    throw malformed(
      `Error parsing the X-Amz-Credential parameter; the region '${scope.region}' is wrong; expecting '${region}'`,
      { Region: region },
    )
  }
  if (scope.service !== 's3') {
    throw malformed(
      `Error parsing the X-Amz-Credential parameter; incorrect service "${scope.service}". This endpoint belongs to "s3".`,
    )
  }
  if (!amzDate.startsWith(scope.date)) {
    throw malformed(
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${amzDate}".`,
    )
  }
}

function checkLife(
  amzDate: string,
  expires: string,
  { nowMs, limits }: { nowMs: number; limits: GatewayLimits },
): void {
  const startMs = parseAmzDate(amzDate)
  if (startMs === undefined)
    throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
  if (!/^-?\d{1,12}$/.test(expires)) throw malformed('X-Amz-Expires should be a number')
  const seconds = Number(expires)
  if (seconds < 0) throw unusable('X-Amz-Expires must be non-negative')
  if (seconds > limits.presignedSecondsMax) {
    throw unusable(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${limits.presignedSecondsMax} seconds`,
    )
  }
  const endMs = startMs + seconds * 1000
  if (nowMs > endMs) {
    throw new S3Error('AccessDenied', 'Request has expired', {
      details: {
        'X-Amz-Expires': seconds,
        Expires: new Date(endMs).toISOString(),
        ServerTime: new Date(nowMs).toISOString(),
      },
    })
  }
  if (startMs - nowMs > limits.clockSkewMs) {
    throw new S3Error('AccessDenied', 'Request is not yet valid', {
      details: { ServerTime: new Date(nowMs).toISOString() },
    })
  }
}

const authenticationFields: ReadonlySet<string> = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-signature',
  'x-amz-signedheaders',
])

/** Of an object's and a copy source's key: addresses end up in logs of proxies and histories of browsers. */
const customerKeySuffix = '-server-side-encryption-customer-key'

/** Headers with those that the signer hoisted into the query; a real header wins. Throws InvalidArgument. */
export function hoistedHeaders(headers: Headers, query: QueryPairs): Headers {
  const hoisted: Record<string, string | undefined> = {}
  for (const [name, value] of query) {
    const lower = name.toLowerCase()
    if (!lower.startsWith('x-amz-') || authenticationFields.has(lower)) continue
    if (lower.endsWith(customerKeySuffix)) {
      throw invalidArgument(lower, 'null', 'A customer provided key must be sent in a header')
    }
    hoisted[lower] = Buffer.from(value, 'utf8').toString('latin1')
  }
  if (headers['content-length'] !== '0') dropEmptyChecksums(hoisted)
  return { ...hoisted, ...headers }
}

/**
 * Signers that have no body yet sign the checksum of nothing (the JavaScript SDK does by default). Stated for a body
 * of something it cannot be meant, and AWS ignores it.
 */
function dropEmptyChecksums(hoisted: Record<string, string | undefined>): void {
  for (const algorithm of checksumAlgorithms) {
    const { header, create } = checksums[algorithm]
    if (hoisted[header] === undefined || hoisted[header] !== create().digest().toString('base64')) continue
    delete hoisted[header]
    delete hoisted['x-amz-sdk-checksum-algorithm']
  }
}
