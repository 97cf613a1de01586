/**
 * A lean S3 client for load and fault tests: signed requests over kept-alive connections, bodies as buffers.
 *
 * It never retries: a test must see every answer. Stock clients are tested in test/clients.
 */
import { createHash, type Hash } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { objectPath, queryString, Signer, type SigningKey } from './sigv4-signer.ts'

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'HEAD' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly timeoutMs?: number
  /** drop: count the bytes only. digest: hash them. keep: return them. */
  readonly answer?: 'drop' | 'digest' | 'keep'
}

export interface S3Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Body bytes received. */
  readonly bytes: number
  /** SHA-256 (hex) of the body when asked for. */
  readonly sha256: string | undefined
  /** The body when asked for or when the status is an error. */
  readonly body: Buffer
}

export interface S3Target extends SigningKey {
  readonly endpoint: string
}

export const connectionLimits = {
  /** No request of a test waits longer: a hung gateway must show as an error. */
  timeoutMs: 30_000,
} as const

export class S3Connection {
  readonly #signer: Signer
  readonly #url: URL
  readonly #agent: Agent

  constructor(target: S3Target, options: { connections?: number } = {}) {
    this.#signer = new Signer(target)
    this.#url = new URL(target.endpoint)
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 64 })
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Resolves with any HTTP answer, also an error's; rejects when the connection fails or the body is cut off. */
  send(wanted: S3Request): Promise<S3Answer> {
    const headers = this.#signer.sign({
      method: wanted.method,
      host: this.#url.host,
      path: wanted.path,
      ...(wanted.query === undefined ? {} : { query: wanted.query }),
      ...(wanted.headers === undefined ? {} : { headers: wanted.headers }),
    })
    if (wanted.body !== undefined || wanted.method === 'PUT' || wanted.method === 'POST') {
      headers['content-length'] = String(wanted.body?.byteLength ?? 0)
    }
    const query = queryString(wanted.query)
    const { promise, resolve, reject } = Promise.withResolvers<S3Answer>()
    const sent = request({
      agent: this.#agent,
      host: this.#url.hostname,
      port: this.#url.port,
      method: wanted.method,
      path: query === '' ? wanted.path : `${wanted.path}?${query}`,
      headers,
    })
    const timeoutMs = wanted.timeoutMs ?? connectionLimits.timeoutMs
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    sent.once('error', reject)
    sent.once('response', (response) => collect(response, wanted.answer ?? 'keep').then(resolve, reject))
    sent.end(wanted.body)
    return promise.finally(() => clearTimeout(timer))
  }

  async createBucket(bucket: string): Promise<void> {
    const answer = await this.send({ method: 'PUT', path: `/${bucket}` })
    const owned = answer.status === 409 && answer.body.includes('BucketAlreadyOwnedByYou')
    if (answer.status !== 200 && !owned) throw unexpected('create bucket', answer)
  }

  put(bucket: string, key: string, body: Uint8Array): Promise<S3Answer> {
    return this.send({ method: 'PUT', path: objectPath(bucket, key), body })
  }

  get(bucket: string, key: string, answer: 'drop' | 'digest' | 'keep' = 'keep'): Promise<S3Answer> {
    return this.send({ method: 'GET', path: objectPath(bucket, key), answer })
  }

  delete(bucket: string, key: string): Promise<S3Answer> {
    return this.send({ method: 'DELETE', path: objectPath(bucket, key) })
  }

  /** Every key of a bucket in the order of the listing. */
  async list(bucket: string, prefix = ''): Promise<string[]> {
    const keys: string[] = []
    let token: string | undefined
    do {
      const answer = await this.send({
        method: 'GET',
        path: `/${bucket}`,
        query: { 'list-type': '2', prefix, ...(token === undefined ? {} : { 'continuation-token': token }) },
      })
      if (answer.status !== 200) throw unexpected('list', answer)
      const xml = answer.body.toString('utf8')
      keys.push(...keysOf(xml))
      token = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(xml)?.[1]
    } while (token !== undefined)
    return keys
  }
}

/** The keys of a listing, entities decoded. */
export function keysOf(xml: string): string[] {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) =>
    (match[1] ?? '').replaceAll(/&(#x?[0-9A-Fa-f]+|\w+);/g, (whole, name: string) => {
      if (!name.startsWith('#')) return entities[name] ?? whole
      return String.fromCodePoint(Number(name.startsWith('#x') ? `0${name.slice(1)}` : name.slice(1)))
    }),
  )
}

/** An error that shows what the gateway answered. */
export function unexpected(what: string, answer: S3Answer): Error {
  return new Error(`${what}: ${answer.status} ${answer.body.toString('utf8').slice(0, 500)}`)
}

function collect(response: IncomingMessage, wanted: 'drop' | 'digest' | 'keep'): Promise<S3Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<S3Answer>()
  const status = response.statusCode ?? 0
  const keep = wanted === 'keep' || status >= 300
  const hash: Hash | undefined = wanted === 'digest' ? createHash('sha256') : undefined
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    hash?.update(chunk)
    if (keep) chunks.push(chunk)
  })
  response.once('error', reject)
  response.once('end', () => {
    const answer = { status, headers: response.headers, bytes, body: Buffer.concat(chunks) }
    if (response.complete) resolve({ ...answer, sha256: hash?.digest('hex') })
    else reject(new Error(`the answer was cut off after ${bytes} bytes`))
  })
  response.once('close', () => reject(new Error(`the connection closed after ${bytes} bytes`)))
  return promise
}
