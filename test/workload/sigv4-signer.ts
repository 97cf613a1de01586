/**
 * Signs S3 requests (AWS Signature Version 4, headers) for load and fault tests.
 *
 * Written from AWS's documentation and apart from the gateway's verifier on purpose: the two must not share a mistake.
 * Payloads are declared UNSIGNED-PAYLOAD unless their hash is given.
 */
import { createHash, createHmac } from 'node:crypto'

export interface SigningKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

export interface SignableRequest {
  readonly method: string
  readonly host: string
  /** Percent-encoded, begins with a slash. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Further headers to sign, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly payloadHash?: string
}

/** RFC 3986: everything but unreserved characters is encoded. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Path of an object: each segment of the key encoded, slashes kept. */
export function objectPath(bucket: string, key: string): string {
  return `/${bucket}/${key.split('/').map(encodeRfc3986).join('/')}`
}

export function queryString(query: Readonly<Record<string, string>> = {}): string {
  return Object.entries(query)
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** One signing key per day and region costs four HMACs: kept by whoever sends many requests. */
export class Signer {
  readonly #key: SigningKey
  #day = ''
  #signingKey: Buffer = Buffer.alloc(0)

  constructor(key: SigningKey) {
    this.#key = key
  }

  /** The headers to send, `host` included. */
  sign(request: SignableRequest, now: Date = new Date()): Record<string, string> {
    const stamp = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
    const day = stamp.slice(0, 8)
    const payloadHash = request.payloadHash ?? 'UNSIGNED-PAYLOAD'
    const headers: Record<string, string> = {
      ...request.headers,
      host: request.host,
      'x-amz-content-sha256': payloadHash,
      'x-amz-date': stamp,
    }
    const names = Object.keys(headers).sort()
    const signedHeaders = names.join(';')
    const canonical = [
      request.method,
      request.path,
      queryString(request.query),
      ...names.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
      '',
      signedHeaders,
      payloadHash,
    ].join('\n')
    const scope = `${day}/${this.#key.region}/s3/aws4_request`
    const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n')
    const signature = createHmac('sha256', this.#keyOf(day)).update(toSign).digest('hex')
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${this.#key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`
    return headers
  }

  #keyOf(day: string): Buffer {
    if (day !== this.#day) {
      const steps = [day, this.#key.region, 's3', 'aws4_request']
      let key: Buffer | string = `AWS4${this.#key.secretAccessKey}`
      for (const step of steps) key = createHmac('sha256', key).update(step).digest()
      this.#signingKey = Buffer.from(key)
      this.#day = day
    }
    return this.#signingKey
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
