/**
 * A raw S3 client for conformance tests: signs with code of its own (no line shared with the gateway), speaks through
 * node:http so that every byte is the test's. Answers are text or bytes, never interpreted.
 */
import { createHash, createHmac } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'

export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly region: string
}

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface SendOptions {
  readonly method?: string
  /** Path and query as they go on the wire. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** What x-amz-content-sha256 says; the body's hash when absent. */
  readonly payload?: string
  /** Headers left out of the signature. */
  readonly unsigned?: readonly string[]
  readonly keys?: Keys
  /** Undefined: now. */
  readonly dateMs?: number
  readonly region?: string
  /** Undefined: s3. */
  readonly service?: string
  /** Sends as it is, without any signature. */
  readonly anonymous?: boolean
  /** Added after signing. */
  readonly late?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return query
    .split('&')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=')
      return [
        encodeRfc3986(decodeURIComponent(name)),
        encodeRfc3986(decodeURIComponent(value.join('='))),
      ] as const
    })
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map((pair) => pair.join('='))
    .join('&')
}

export interface Signed {
  readonly headers: Record<string, string>
  readonly signature: string
  readonly signingKey: Buffer
  readonly amzDate: string
  readonly scope: string
}

export function isoBasic(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

export function signingKey(keys: Keys, date: string, region: string, service = 's3'): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${keys.secretAccessKey}`, date), region), service), 'aws4_request')
}

/** Signs by headers. */
export function signRequest(options: SendOptions, endpoint: Endpoint, keys: Keys): Signed {
  const amzDate = isoBasic(options.dateMs ?? Date.now())
  const region = options.region ?? endpoint.region
  const service = options.service ?? 's3'
  const scope = `${amzDate.slice(0, 8)}/${region}/${service}/aws4_request`
  const payload = options.payload ?? sha256(options.body ?? '')
  const headers: Record<string, string> = {
    host: `${endpoint.host}:${endpoint.port}`,
    'x-amz-content-sha256': payload,
    'x-amz-date': amzDate,
    ...options.headers,
  }
  const names = Object.keys(headers)
    .map((name) => name.toLowerCase())
    .filter((name) => !(options.unsigned ?? []).includes(name))
    .sort()
  const [path = '', query = ''] = options.path.split('?')
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const canonical = [
    options.method ?? 'GET',
    path,
    canonicalQuery(query),
    ...names.map((name) => `${name}:${lower.get(name)?.trim()}`),
    '',
    names.join(';'),
    payload,
  ].join('\n')
  const key = signingKey(keys, amzDate.slice(0, 8), region, service)
  const text = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(Buffer.from(canonical, 'latin1'))}`
  const signature = hmac(key, text).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${signature}`
  return { headers, signature, signingKey: key, amzDate, scope }
}

export interface PresignOptions {
  readonly method?: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly expires?: number
  readonly dateMs?: number
  readonly region?: string
  readonly signedHeaders?: Readonly<Record<string, string>>
}

/** A presigned path and query. */
export function presign(options: PresignOptions, endpoint: Endpoint, keys: Keys): string {
  const amzDate = isoBasic(options.dateMs ?? Date.now())
  const region = options.region ?? endpoint.region
  const scope = `${amzDate.slice(0, 8)}/${region}/s3/aws4_request`
  const headers: Record<string, string> = {
    host: `${endpoint.host}:${endpoint.port}`,
    ...options.signedHeaders,
  }
  const names = Object.keys(headers).sort()
  const query = Object.entries({
    ...options.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${keys.accessKeyId}/${scope}`,
    'X-Amz-Date': amzDate,
    'X-Amz-Expires': String(options.expires ?? 60),
    'X-Amz-SignedHeaders': names.join(';'),
  })
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&')
  const canonical = [
    options.method ?? 'GET',
    options.path,
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const text = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(canonical)}`
  const signature = hmac(signingKey(keys, amzDate.slice(0, 8), region), text).toString('hex')
  return `${options.path}?${query}&X-Amz-Signature=${signature}`
}

/** Sends one request on a connection of `agent` and collects the answer. */
export class S3Client {
  readonly endpoint: Endpoint
  readonly keys: Keys
  readonly agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(endpoint: Endpoint, keys: Keys) {
    this.endpoint = endpoint
    this.keys = keys
  }

  /** The Host header that signatures name. */
  get hostHeader(): Record<string, string> {
    return { host: `${this.endpoint.host}:${this.endpoint.port}` }
  }

  close(): void {
    this.agent.destroy()
  }

  send(options: SendOptions): Promise<Answer> {
    const headers = options.anonymous
      ? { ...this.hostHeader, ...options.headers }
      : signRequest(options, this.endpoint, options.keys ?? this.keys).headers
    return this.exchange(options, { ...headers, ...options.late })
  }

  exchange(
    options: Pick<SendOptions, 'method' | 'path' | 'body'>,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const body = options.body ?? ''
      const chunked = Object.keys(headers).some((name) => name.toLowerCase() === 'transfer-encoding')
      const request = httpRequest({
        agent: this.agent,
        host: '127.0.0.1',
        port: this.endpoint.port,
        method: options.method ?? 'GET',
        path: options.path,
        headers: {
          ...(chunked || (body.length === 0 && (options.method ?? 'GET') === 'GET')
            ? {}
            : { 'content-length': String(Buffer.byteLength(body)) }),
          ...headers,
        },
      })
      request.on('error', reject)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('aborted', () => reject(new Error('the answer was torn')))
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text: bytes.toString('utf8'),
          })
        })
      })
      // A string would make node write the headers in its encoding.
      request.end(Buffer.from(body))
    })
  }
}

/** Writes raw bytes to a socket and resolves with all that comes back until the peer closes. */
export function readUntilClosed(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => resolve(text))
    socket.on('close', () => resolve(text))
  })
}

/** Text of the first `<name>` element; undefined when there is none. */
export function tag(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
}

/** Texts of all `<name>` elements. */
export function tags(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => match[1] ?? '')
}
