/**
 * A key service that speaks as much of the Transit API as we use, on loopback: real HTTP, real AES-GCM.
 *
 * As OpenBao documents it: tokens, namespaces, 404 for a key that is not there, 400 for what does not decrypt, and the
 * trap that encrypting under an unknown name makes that key. `fault` breaks the next answers.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

type Fault = 'tear' | 'sealed' | 'garbage' | 'flood' | 'hang'

interface Input {
  readonly plaintext?: string
  readonly ciphertext?: string
  readonly associated_data?: string
}

export class TransitServer {
  readonly #server: Server
  /** Versions of each key, the newest last. */
  readonly #keys = new Map<string, Buffer[]>()
  readonly #mount: string
  readonly requests: string[] = []
  token = 'hvs.test-token'
  namespace: string | undefined
  /** Broken answers still to come. */
  faults: Fault[] = []

  private constructor(mount: string, tls: { cert: string; key: string } | undefined) {
    this.#mount = mount
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response)
    this.#server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  }

  static async start(
    options: { mount?: string; tls?: { cert: string; key: string } } = {},
  ): Promise<TransitServer> {
    const server = new TransitServer(options.mount ?? 'transit', options.tls)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get keyNames(): string[] {
    return [...this.#keys.keys()]
  }

  create(name: string): void {
    this.#keys.set(name, [randomBytes(32)])
  }

  rotate(name: string): void {
    this.#keys.get(name)?.push(randomBytes(32))
  }

  destroy(name: string): void {
    this.#keys.delete(name)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    this.requests.push(`${request.method} ${request.url}`)
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    switch (this.faults.shift()) {
      case 'tear':
        request.socket.destroy()
        return
      case 'sealed':
        answer(503, { errors: ['Vault is sealed'] })
        return
      case 'garbage':
        response.end('<html>')
        return
      case 'flood':
        response.end('x'.repeat(1024 * 1024))
        return
      case 'hang':
        return
    }
    const { headers } = request
    if (headers['x-vault-token'] !== this.token || headers['x-vault-namespace'] !== this.namespace) {
      answer(403, { errors: ['permission denied'] })
      return
    }
    const route = new RegExp(`^/v1/${this.#mount}/(keys|encrypt|decrypt)/([\\w.-]+)$`).exec(request.url ?? '')
    const [, verb = '', name = ''] = route ?? []
    const text = Buffer.concat(chunks).toString()
    const [status, body] = this.#answer(verb, name, text === '' ? {} : (JSON.parse(text) as Input))
    answer(status, body)
  }

  #answer(verb: string, name: string, input: Input): [number, unknown] {
    const key = this.#keys.get(name)
    if (verb === 'keys') return key === undefined ? [404, { errors: [] }] : [200, { data: { name } }]
    if (verb === 'encrypt') {
      if (key === undefined) this.create(name)
      return [200, { data: { ciphertext: encrypt(this.#keys.get(name) ?? [], input) } }]
    }
    if (verb !== 'decrypt') return [404, { errors: ['no handler for route'] }]
    if (key === undefined) return [400, { errors: ['encryption key not found'] }]
    const plaintext = decrypt(key, input)
    if (plaintext === undefined) return [400, { errors: ['cipher: message authentication failed'] }]
    return [200, { data: { plaintext } }]
  }
}

function encrypt(versions: readonly Buffer[], input: Input): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1) ?? Buffer.alloc(32), nonce)
  cipher.setAAD(Buffer.from(input.associated_data ?? '', 'base64'))
  const sealed = [nonce, cipher.update(Buffer.from(input.plaintext ?? '', 'base64')), cipher.final()]
  return `vault:v${versions.length}:${Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64')}`
}

function decrypt(versions: readonly Buffer[], input: Input): string | undefined {
  const [, version = '', text = ''] = /^vault:v(\d+):(.+)$/.exec(input.ciphertext ?? '') ?? []
  const key = versions[Number(version) - 1]
  const bytes = Buffer.from(text, 'base64')
  if (key === undefined || bytes.length < 28) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
    decipher.setAAD(Buffer.from(input.associated_data ?? '', 'base64'))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('base64')
  } catch {
    // Another key, another use, or damaged: what the service answers 400 to.
    return undefined
  }
}
