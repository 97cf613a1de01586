/**
 * Tokens of OpenID Connect issuers: whether a registered provider issued one, for one of its clients, and what it says.
 *
 * Keys come from the registration, or from the provider: over HTTPS from a host whose certificate is trusted (and pinned
 * when thumbprints were registered); over HTTP from this machine only. A provider's documents are bounded, kept for
 * minutes, and never followed elsewhere: the key set lies at the issuer's own origin, redirects are refused.
 * Source: OpenID Connect Core 1.0 (3.1.3.7), Discovery 1.0 (4); RFC 7517; AWS, "AssumeRoleWithWebIdentity".
 */
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { OidcProvider } from '../../node/core/access-types.ts'
import type { Clock } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { QueryError } from '../iam/query-error.ts'
import { fetchDocument } from './provider-document.ts'
import { stsLimits } from './sts-limits.ts'

/** Signatures with public keys only: a shared secret is no proof, and `none` is none. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

/** What a verified token says. */
export interface WebIdentity {
  readonly subject: string
  /** The client that it was issued for: `azp` when it has one, as AWS has it. */
  readonly audience: string
  readonly issuer: string
  readonly claims: JWTPayload
}

/** `host/path` and scheme of the issuer that a token names, which proves nothing. Throws InvalidIdentityToken. */
export function issuerOf(token: string): { readonly url: string; readonly issuer: string } {
  if (token.length > stsLimits.webIdentityTokenBytesMax) throw invalidToken('The token is too long')
  let issuer: string | undefined
  try {
    issuer = decodeJwt(token).iss
  } catch (error) {
    throw invalidToken('The ID Token provided is not a valid JWT.', error)
  }
  const [, url] = /^https?:\/\/(.{1,255})$/.exec(issuer ?? '') ?? []
  if (issuer === undefined || url === undefined) throw invalidToken('The token names no issuer.')
  return { url: url.replace(/\/+$/, ''), issuer }
}

/** Undefined when the text is no key set with public keys. */
export function parseKeySet(text: string): JSONWebKeySet | undefined {
  try {
    const value = JSON.parse(text) as JSONWebKeySet
    createLocalJWKSet(value)
    // A private or shared key in it would be a secret that somebody gave away.
    return value.keys.some((key) => key.d !== undefined || key.kty === 'oct') ? undefined : value
  } catch {
    return undefined
  }
}

interface HeldKeys {
  readonly keys: ReturnType<typeof createLocalJWKSet>
  readonly fetchedMs: number
}

export interface WebIdentityParts {
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>
  /** Gets a document of a provider. Throws. Given by tests. */
  readonly fetchDocument?: typeof fetchDocument
}

export class WebIdentities {
  readonly #parts: Required<WebIdentityParts>
  readonly #held: ExpiringCache<string, Promise<HeldKeys>>

  constructor(parts: WebIdentityParts) {
    this.#parts = { fetchDocument, ...parts }
    this.#held = new ExpiringCache(stsLimits.providersCachedMax, stsLimits.providerKeysMs, () =>
      parts.clock.monotonicMs(),
    )
  }

  /** Throws QueryError: InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError. */
  async verify(token: string, provider: OidcProvider): Promise<WebIdentity> {
    const claims = await this.#claims(token, provider)
    const { iss: issuer = '', sub: subject = '', azp, aud = [] } = claims
    const issued = `${provider.scheme}://${provider.url}`
    if (issuer.replace(/\/+$/, '') !== issued) throw invalidToken('The token is of another issuer.')
    const audiences = typeof azp === 'string' ? [azp] : [aud].flat()
    const audience = audiences.find((each) => provider.clientIds.includes(each))
    if (audience === undefined) throw invalidToken('Incorrect token audience')
    return { subject, audience, issuer, claims }
  }

  async #claims(token: string, provider: OidcProvider): Promise<JWTPayload> {
    const options = {
      algorithms,
      requiredClaims: ['iss', 'sub', 'aud', 'exp'],
      clockTolerance: stsLimits.tokenSkewSeconds,
      currentDate: new Date(this.#parts.clock.wallMs()),
    }
    try {
      const held = await this.#keysOf(provider)
      try {
        return (await jwtVerify(token, held.keys, options)).payload
      } catch (error) {
        // A provider that changed its keys: asked again, but not for every token that names a key of nobody.
        if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayReload(held)) throw error
        this.#held.delete(cacheKey(provider))
        return (await jwtVerify(token, (await this.#keysOf(provider)).keys, options)).payload
      }
    } catch (error) {
      throw translated(error)
    }
  }

  #mayReload(held: HeldKeys): boolean {
    return this.#parts.clock.monotonicMs() - held.fetchedMs >= stsLimits.providerReloadMs
  }

  #keysOf(provider: OidcProvider): Promise<HeldKeys> {
    if (provider.keySet !== undefined) {
      const keys = createLocalJWKSet(JSON.parse(provider.keySet) as JSONWebKeySet)
      return Promise.resolve({ keys, fetchedMs: Number.POSITIVE_INFINITY })
    }
    const key = cacheKey(provider)
    const known = this.#held.get(key)
    if (known !== undefined) return known
    const held = this.#fetch(provider)
    this.#held.set(key, held)
    held.catch(() => this.#held.delete(key))
    return held
  }

  async #fetch(provider: OidcProvider): Promise<HeldKeys> {
    const issuer = `${provider.scheme}://${provider.url}`
    const get = (url: string) => this.#parts.fetchDocument(url, provider.thumbprints)
    try {
      const discovery: unknown = JSON.parse(await get(`${issuer}/.well-known/openid-configuration`))
      const { issuer: named, jwks_uri: keysUrl } = discovery as Record<string, unknown>
      if (typeof named !== 'string' || named.replace(/\/+$/, '') !== issuer) {
        throw new Error('the provider calls itself otherwise')
      }
      if (typeof keysUrl !== 'string' || new URL(keysUrl).origin !== new URL(issuer).origin) {
        throw new Error('the key set lies elsewhere: register it with the provider')
      }
      const keySet = parseKeySet(await get(keysUrl))
      if (keySet === undefined) throw new Error('the key set is none')
      return { keys: createLocalJWKSet(keySet), fetchedMs: this.#parts.clock.monotonicMs() }
    } catch (cause) {
      throw new QueryError(
        'IDPCommunicationError',
        'The identity provider could not be reached or understood.',
        {
          cause,
        },
      )
    }
  }
}

/** A provider that is registered anew, or with other thumbprints, begins afresh. */
function cacheKey({ accountId, scheme, url, createdMs, thumbprints }: OidcProvider): string {
  return [accountId, scheme, url, createdMs, ...thumbprints].join('\n')
}

function invalidToken(message: string, cause?: unknown): QueryError {
  return new QueryError('InvalidIdentityToken', message, { cause })
}

function translated(error: unknown): QueryError {
  if (error instanceof QueryError) return error
  if (error instanceof errors.JWTExpired) {
    return new QueryError('ExpiredTokenException', 'Token expired: the web identity token has expired.', {
      cause: error,
    })
  }
  if (error instanceof errors.JOSEError)
    return invalidToken('The ID Token provided could not be verified.', error)
  throw error
}
