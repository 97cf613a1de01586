/** An OpenID Connect issuer on this machine: real keys, real signatures, discovery and key set over HTTP. */
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** Undefined ones are left out of the token. */
export type Claims = Readonly<Record<string, unknown>>

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>

export class OidcIssuer {
  readonly url: string
  /** Requests for each path. */
  readonly asked = new Map<string, number>()
  /** Set by tests: what a path answers instead. */
  readonly answers = new Map<string, { status: number; body: string }>()
  readonly #server: Server
  #key: KeyPair
  #kid = 0

  private constructor(server: Server, key: KeyPair, port: number) {
    this.#server = server
    this.#key = key
    this.url = `http://127.0.0.1:${port}/realms/police`
  }

  static async start(): Promise<OidcIssuer> {
    const holder: { issuer?: OidcIssuer } = {}
    const server = createServer((request, response) => {
      void holder.issuer?.answer(request.url ?? '').then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' }).end(body)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const issuer = new OidcIssuer(server, await generateKeyPair('RS256', { extractable: true }), address.port)
    holder.issuer = issuer
    return issuer
  }

  async answer(path: string): Promise<{ status: number; body: string }> {
    this.asked.set(path, (this.asked.get(path) ?? 0) + 1)
    const set = this.answers.get(path)
    if (set !== undefined) return set
    if (path === '/realms/police/.well-known/openid-configuration') {
      return { status: 200, body: JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/keys` }) }
    }
    if (path === '/realms/police/keys') return { status: 200, body: await this.keySet() }
    return { status: 404, body: '{}' }
  }

  async keySet(): Promise<string> {
    const key = await exportJWK(this.#key.publicKey)
    return JSON.stringify({ keys: [{ ...key, kid: `k${this.#kid}`, alg: 'RS256', use: 'sig' }] })
  }

  /** From now on signs with another key. */
  async rotate(): Promise<void> {
    this.#key = await generateKeyPair('RS256', { extractable: true })
    this.#kid += 1
  }

  /** A token for client `app`, of an hour; `claims` replace, undefined ones leave out. */
  async token(
    claims: Claims = {},
    key: CryptoKey | Uint8Array = this.#key.privateKey,
    alg = 'RS256',
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: this.url, sub: 'officer-7', aud: 'app', iat: now, exp: now + 3600, ...claims }
    return new SignJWT(payload).setProtectedHeader({ alg, kid: `k${this.#kid}` }).sign(key)
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
