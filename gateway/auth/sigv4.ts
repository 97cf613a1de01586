/**
 * Signature Version 4: canonical request, string to sign, signing key, and the check of a signed header.
 *
 * Pure but for HMAC; the caller brings the time and the secret. Signatures are compared in constant time. Text of
 * headers is hashed as it came on the wire (latin1), whatever its encoding.
 * Source: AWS, "Authenticating Requests: Using the Authorization Header", "Create a signed AWS API request".
 */
import { createHmac, hash } from 'node:crypto'
import type { GatewayLimits } from '../limits.ts'
import type { QueryPairs } from '../s3/address.ts'
import { parseAmzDate, parseHttpDate, amzDate as toAmzDate } from '../s3/dates.ts'
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import { signaturesMatch } from './chunked.ts'

export const algorithm = 'AWS4-HMAC-SHA256'
const terminator = 'aws4_request'

/** The parts of a `Credential`: who, and the scope of the derived key. */
export interface CredentialScope {
  readonly accessKeyId: string
  /** `YYYYMMDD`. */
  readonly date: string
  readonly region: string
  readonly service: string
}

export function scopeText(scope: Omit<CredentialScope, 'accessKeyId'>): string {
  return `${scope.date}/${scope.region}/${scope.service}/${terminator}`
}

/** `<key>/<date>/<region>/<service>/aws4_request`; undefined when it is not of that form. */
export function parseCredential(text: string): CredentialScope | undefined {
  const parts = text.split('/')
  if (parts.length < 5 || parts.pop() !== terminator) return undefined
  const [service = '', region = '', date = ''] = [parts.pop(), parts.pop(), parts.pop()]
  if (!/^\d{8}$/.test(date)) return undefined
  return { accessKeyId: parts.join('/'), date, region, service }
}

const plain = /^[A-Za-z0-9\-._~]*$/
const plainPath = /^[A-Za-z0-9\-._~/]*$/

/** RFC 3986 with AWS's set of unreserved characters; UTF-8. */
export function uriEncode(text: string): string {
  if (plain.test(text)) return text
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The path encoded once, slashes kept, nothing normalised. `rawPath` as sent. */
export function canonicalPath(rawPath: string): string {
  if (plainPath.test(rawPath)) return rawPath
  return rawPath
    .split('/')
    .map((segment) => uriEncode(decodeURIComponent(segment)))
    .join('/')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Sorted by encoded name, then value; `except` is left out (the signature of a presigned URL). */
export function canonicalQuery(query: QueryPairs, except?: string): string {
  if (query.length === 0) return ''
  return query
    .filter(([name]) => name !== except)
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** What is signed of a request. Header values as node joined them. */
export interface SignedRequest {
  readonly method: string
  readonly rawPath: string
  readonly query: QueryPairs
  readonly headers: Headers
  /** Lower case, as listed by the client. */
  readonly signedHeaders: readonly string[]
  readonly payloadHash: string
  readonly exceptQuery?: string
}

function canonicalValue(value: string): string {
  const trimmed = value.trim()
  return trimmed.includes('  ') ? trimmed.replace(/ {2,}/g, ' ') : trimmed
}

export function canonicalRequest(request: SignedRequest): string {
  let headers = ''
  for (const name of request.signedHeaders)
    headers += `${name}:${canonicalValue(request.headers[name] ?? '')}\n`
  return `${request.method}\n${canonicalPath(request.rawPath)}\n${canonicalQuery(request.query, request.exceptQuery)}\n${headers}\n${request.signedHeaders.join(';')}\n${request.payloadHash}`
}

export function stringToSign(amzDate: string, scope: string, canonical: string): string {
  return `${algorithm}\n${amzDate}\n${scope}\n${hash('sha256', Buffer.from(canonical, 'latin1'))}`
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function deriveSigningKey(secret: string, scope: Omit<CredentialScope, 'accessKeyId'>): Buffer {
  const dateKey = hmac(`AWS4${secret}`, scope.date)
  return hmac(hmac(hmac(dateKey, scope.region), scope.service), terminator)
}

export function sign(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

interface CachedKey {
  readonly secret: string
  readonly key: Buffer
}

/** Derived keys by access key and scope; bounded, oldest out first. A changed secret derives anew. */
export class SigningKeys {
  readonly #max: number
  readonly #keys = new Map<string, CachedKey>()

  constructor(max: number) {
    this.#max = max
  }

  get(secret: string, scope: CredentialScope): Buffer {
    const name = `${scope.accessKeyId}/${scope.date}/${scope.region}/${scope.service}`
    const known = this.#keys.get(name)
    if (known !== undefined && known.secret === secret) return known.key
    const key = deriveSigningKey(secret, scope)
    if (this.#keys.size >= this.#max) {
      const oldest = this.#keys.keys().next()
      if (!oldest.done) this.#keys.delete(oldest.value)
    }
    this.#keys.set(name, { secret, key })
    return key
  }
}

/** The fields of an Authorization header. */
export interface AuthorizationHeader {
  readonly scope: CredentialScope
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

function malformed(message: string, details: Record<string, string> = {}): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${message}`, {
    details,
  })
}

/** Throws AuthorizationHeaderMalformed, InvalidRequest (SigV2), InvalidArgument (anything else). */
export function parseAuthorization(header: string): AuthorizationHeader {
  if (!header.startsWith(`${algorithm} `)) throw unsupportedAuthorization(header)
  const fields = new Map<string, string>()
  for (const piece of header.slice(algorithm.length + 1).split(',')) {
    const at = piece.indexOf('=')
    if (at > 0) fields.set(piece.slice(0, at).trim(), piece.slice(at + 1).trim())
  }
  const credential = fields.get('Credential')
  const signedHeaders = fields.get('SignedHeaders')
  const signature = fields.get('Signature')
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw malformed('Credential, SignedHeaders and Signature are required.')
  }
  const scope = parseCredential(credential)
  if (scope === undefined) {
    throw malformed(
      'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    )
  }
  return { scope, signedHeaders: signedHeaders.toLowerCase().split(';'), signature }
}

function unsupportedAuthorization(header: string): S3Error {
  if (/^AWS /.test(header) || header.startsWith('AWS4-ECDSA')) {
    return new S3Error(
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    )
  }
  return new S3Error('InvalidArgument', 'Unsupported Authorization Type', {
    details: { ArgumentName: 'Authorization', ArgumentValue: header.split(' ', 1)[0] ?? '' },
  })
}

/** Throws AuthorizationHeaderMalformed, naming the right region so that clients can correct themselves. */
export function checkScope(
  scope: CredentialScope,
  expected: { region: string; date: string; service?: string },
): void {
  const { service = 's3' } = expected
  if (scope.region !== expected.region) {
    throw malformed(`the region '${scope.region}' is wrong; expecting '${expected.region}'`, {
      Region: expected.region,
    })
  }
  if (scope.service !== service)
    throw malformed(`incorrect service "${scope.service}". This endpoint belongs to "${service}".`)
  if (scope.date !== expected.date) {
    throw malformed(
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${expected.date}".`,
    )
  }
}

/** Time of a header-signed request: x-amz-date, else Date. Throws AccessDenied without one, RequestTimeTooSkewed. */
export function requestTime(headers: Headers, nowMs: number, limits: GatewayLimits): string {
  const basic = headers['x-amz-date']
  const ms = basic === undefined ? parseHttpDate(headers.date ?? '') : parseAmzDate(basic)
  if (ms === undefined) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  if (Math.abs(ms - nowMs) > limits.clockSkewMs) {
    throw new S3Error('RequestTimeTooSkewed', undefined, {
      details: {
        RequestTime: toAmzDate(ms),
        ServerTime: new Date(nowMs).toISOString(),
        MaxAllowedSkewMilliseconds: limits.clockSkewMs,
      },
    })
  }
  return basic ?? toAmzDate(ms)
}

/** Every `x-amz-*` header, and the host, must be signed: nobody may add meaning to another's request. Throws AccessDenied. */
export function checkAllSigned(headers: Headers, signedHeaders: readonly string[]): void {
  const missing: string[] = []
  if (!signedHeaders.includes('host')) missing.push('host')
  for (const name in headers) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) missing.push(name)
  }
  if (missing.length === 0) return
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
    details: { HeadersNotSigned: missing.join(', ') },
  })
}

/** Throws SignatureDoesNotMatch with what we computed from the client's own request; no secret is in it. */
export function verifySignature(
  request: SignedRequest,
  signing: { scope: CredentialScope; amzDate: string; key: Buffer; signature: string },
): void {
  const canonical = canonicalRequest(request)
  const text = stringToSign(signing.amzDate, scopeText(signing.scope), canonical)
  if (signaturesMatch(signing.signature, sign(signing.key, text))) return
  throw new S3Error('SignatureDoesNotMatch', undefined, {
    details: {
      AWSAccessKeyId: signing.scope.accessKeyId,
      StringToSign: text,
      SignatureProvided: signing.signature,
      CanonicalRequest: canonical,
    },
  })
}
