/**
 * The owner's key store as an HTTP service with the Transit API (OpenBao, HashiCorp Vault): keys never leave it.
 *
 * A wrapped secret is the service's ciphertext text (`vault:v1:...`), which names the version of the key itself, so that
 * keys are rotated there. The use of a secret is bound as associated data of AES-GCM: keys must be of type
 * `aes256-gcm96` and not derived. Which keys clients may name is decided by a prefix: `<namedPrefix><name>`, so that the
 * owner's own key is never one of them. The policy of our token must allow `update` on `encrypt/` and `decrypt/` and
 * `read` on `keys/` of those keys, and no `create`: Transit makes a key of any name that may be created.
 *
 * Every call asks the service; what it says is not remembered here. One whose connection is torn is repeated once.
 * Source: OpenBao, "Transit secrets engine (API)".
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { z } from 'zod'
import { defaultKeyName } from '../core/object-encryption.ts'
import { ClusterError } from '../errors.ts'
import type { Kms } from '../world.ts'

export const transitLimits = {
  /** An answer that takes longer fails the request that needs it; a healthy service answers in milliseconds. */
  answerTimeoutMs: 5_000,
  /** Connections to the service; further calls wait for one. */
  connectionsMax: 32,
  /** Of an answer; ciphertexts and keys' descriptions are far smaller. */
  answerBytesMax: 64 * 1024,
} as const

export interface TransitOptions {
  /** `https://host:8200`; plain HTTP for tests on loopback. */
  readonly url: string
  /** Where the engine is mounted. */
  readonly mount: string
  /** File with the token, read for every call: an agent may renew it. */
  readonly tokenFile: string
  /** Transit name of the owner's own key. */
  readonly ownKey: string
  /** Begins the Transit names of the keys that clients may name; the own key must not begin so. */
  readonly namedPrefix: string
  /** Transit name of the key for `aws:kms` without a key id; absent: there is none. */
  readonly defaultKey?: string | undefined
  /** Certificate authorities of the service (PEM); absent: the system's. */
  readonly caFile?: string | undefined
  /** Of OpenBao or Vault; absent: the root namespace. */
  readonly namespace?: string | undefined
  /** Lowered by tests. */
  readonly answerTimeoutMs?: number | undefined
}

/** What Transit takes as the name of a key; anything else cannot exist there. */
export const transitName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

const encrypted = z.object({ data: z.object({ ciphertext: z.string().regex(/^[\x21-\x7e]{1,768}$/) }) })
const decrypted = z.object({ data: z.object({ plaintext: z.base64() }) })

interface Reply {
  readonly status: number
  readonly body: unknown
}

/** Opens the service; nothing is asked of it yet. Throws an Error when the certificates cannot be read. */
export function openTransitKms(options: TransitOptions): Kms {
  const transit = new Transit(options)
  return {
    wrap: async (secret, context, name) => {
      const key = keyOf(options, name)
      // Transit would make a key that it does not know, if the token's policy let it.
      if (name !== undefined && !(await transit.hasKey(key))) throw keyNotFound(name)
      const reply = await transit.post(`encrypt/${key}`, {
        plaintext: base64(secret),
        associated_data: base64(Buffer.from(context, 'utf8')),
      })
      return Buffer.from(answered(reply, encrypted).data.ciphertext, 'latin1')
    },
    unwrap: async (envelope, context, name) => {
      const key = keyOf(options, name)
      const reply = await transit.post(`decrypt/${key}`, {
        ciphertext: Buffer.from(envelope).toString('latin1'),
        associated_data: base64(Buffer.from(context, 'utf8')),
      })
      if (reply.status === 400 || reply.status === 404) {
        if (name !== undefined && !(await transit.hasKey(key))) throw keyNotFound(name)
        throw new ClusterError('DecryptionFailed', 'the key service refuses key, context or bytes')
      }
      return Buffer.from(answered(reply, decrypted).data.plaintext, 'base64')
    },
  }
}

/** Throws KmsKeyNotFound for a name that no key can have. */
function keyOf({ ownKey, namedPrefix, defaultKey }: TransitOptions, name: string | undefined): string {
  if (name === undefined) return ownKey
  if (name === defaultKeyName && defaultKey !== undefined) return defaultKey
  if (!transitName.test(name)) throw keyNotFound(name)
  return namedPrefix + name
}

function keyNotFound(name: string): ClusterError {
  return new ClusterError('KmsKeyNotFound', 'the key service has no key of that name', {
    details: { keyId: name },
  })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The body of a good answer. Throws KmsUnavailable with the status, never with the body. */
function answered<T extends z.ZodType>({ status, body }: Reply, schema: T): z.infer<T> {
  const parsed = schema.safeParse(body)
  if (status === 200 && parsed.success) return parsed.data
  throw new ClusterError('KmsUnavailable', `the key service answers ${status}`)
}

/** HTTP with the service. Everything it throws is KmsUnavailable. */
class Transit {
  readonly #options: TransitOptions
  readonly #base: URL
  readonly #agent: HttpAgent | HttpsAgent
  readonly #request: typeof httpRequest

  constructor(options: TransitOptions) {
    this.#options = options
    this.#base = new URL(options.url)
    const pool = { keepAlive: true, maxSockets: transitLimits.connectionsMax }
    const secure = this.#base.protocol === 'https:'
    const ca = options.caFile === undefined ? {} : { ca: readFileSync(options.caFile, 'utf8') }
    this.#agent = secure ? new HttpsAgent({ ...pool, ...ca, minVersion: 'TLSv1.3' }) : new HttpAgent(pool)
    this.#request = secure ? httpsRequest : httpRequest
  }

  async hasKey(key: string): Promise<boolean> {
    const { status } = await this.#call('GET', `keys/${key}`)
    if (status === 200) return true
    if (status === 404) return false
    throw new ClusterError('KmsUnavailable', `the key service answers ${status}`)
  }

  post(path: string, body: Readonly<Record<string, string>>): Promise<Reply> {
    return this.#call('POST', path, JSON.stringify(body))
  }

  async #call(method: string, path: string, body?: string): Promise<Reply> {
    try {
      return await this.#send(method, path, body).catch((error: unknown) => {
        // A kept connection that the service has closed meanwhile; no call changes anything there, so it may come twice.
        if (!isTorn(error)) throw error
        return this.#send(method, path, body)
      })
    } catch (cause) {
      if (cause instanceof ClusterError) throw cause
      throw new ClusterError('KmsUnavailable', 'the key service cannot be reached', { cause })
    }
  }

  async #send(method: string, path: string, body: string | undefined): Promise<Reply> {
    const { mount, tokenFile, namespace } = this.#options
    const token = (await readFile(tokenFile, 'utf8')).trim()
    const answer = await this.#exchange(method, `/v1/${mount}/${path}`, body, {
      'x-vault-token': token,
      'x-vault-request': 'true',
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    })
    return { status: answer.statusCode ?? 0, body: parseJson(await textOf(answer)) }
  }

  #exchange(
    method: string,
    path: string,
    body: string | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { answerTimeoutMs = transitLimits.answerTimeoutMs } = this.#options
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const target = new URL(path, this.#base)
      const sent = this.#request(target, { method, headers, agent: this.#agent, signal }, resolve)
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

function isTorn(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

/** Undefined when it is no JSON: the parser's own error would quote it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > transitLimits.answerBytesMax) {
      answer.destroy()
      throw new ClusterError('KmsUnavailable', 'the key service sends too much')
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
