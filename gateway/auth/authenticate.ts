/**
 * Who sends a request, and what vouches for its body: the one place that decides between the signature schemes.
 *
 * Invariant: nothing of a request is acted on before its signature was verified here. A request that claims nothing is
 * anonymous, whose rights authorise.ts decides; one that claims anything and cannot prove it is refused.
 */
import type { Clock } from '../../node/world.ts'
import type { GatewayLimits } from '../limits.ts'
import type { Address } from '../s3/address.ts'
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import { formHeaders } from '../s3/post-form.ts'
import { type BytesRange, checkPostPolicy, parsePostPolicy } from '../s3/post-policy.ts'
import { Claimants } from './claimants.ts'
import type { CredentialSource, SessionOpener } from './credential-source.ts'
import { formClaim, verifyForm } from './form.ts'
import { anonymous, type Identity } from './identity.ts'
import { type Payload, parsePayload, requiredPayloadText, unsignedPayload } from './payload.ts'
import { hoistedHeaders, isPresigned, parsePresigned, signatureQuery } from './presigned.ts'
import {
  type CredentialScope,
  checkAllSigned,
  checkScope,
  parseAuthorization,
  requestTime,
  type SignedRequest,
  SigningKeys,
  scopeText,
  verifySignature,
} from './sigv4.ts'

export interface Authenticated {
  readonly identity: Identity
  readonly payload: Payload
  /** With hoisted ones, for presigned requests. */
  readonly headers: Headers
}

export interface Unauthenticated {
  readonly method: string
  readonly address: Address
  readonly headers: Headers
  /** The signature may be made for another region than ours. */
  readonly anyRegion: boolean
}

/** A form, and how many bytes its policy allows the file. */
export interface AuthenticatedForm extends Authenticated {
  readonly range: BytesRange
}

interface Claim {
  readonly scope: CredentialScope
  readonly amzDate: string
  readonly signature: string
  readonly signed: SignedRequest
}

export class Authenticator {
  readonly #claimants: Claimants
  readonly #region: string
  readonly #clock: Clock
  readonly #limits: GatewayLimits
  readonly #keys: SigningKeys
  readonly #legacyForms: boolean

  constructor(options: {
    credentials: CredentialSource
    /** Absent: no sessions. */
    sessions?: SessionOpener | undefined
    region: string
    clock: Clock
    limits: GatewayLimits
    /** Whether POST forms may be signed in the way before Signature Version 4. */
    legacyFormSignatures: boolean
  }) {
    this.#claimants = new Claimants(options)
    this.#region = options.region
    this.#clock = options.clock
    this.#limits = options.limits
    this.#legacyForms = options.legacyFormSignatures
    this.#keys = new SigningKeys(options.limits.signingKeysMax)
  }

  /** `anonymous` without signature. Throws S3Error: the errors of the two schemes. */
  async authenticate(request: Unauthenticated): Promise<Authenticated> {
    const authorization = request.headers.authorization
    const presigned = isPresigned(request.address.query)
    if (authorization !== undefined && presigned) throw manySchemes()
    if (presigned) return this.#presigned(request)
    if (authorization === undefined) return unsigned(request)
    return this.#signedHeader(request, authorization)
  }

  async #signedHeader(request: Unauthenticated, authorization: string): Promise<Authenticated> {
    const { headers } = request
    const { scope, signature, signedHeaders } = parseAuthorization(authorization)
    const amzDate = requestTime(headers, this.#clock.wallMs(), this.#limits)
    const region = request.anyRegion ? scope.region : this.#region
    checkScope(scope, { region, date: amzDate.slice(0, 8) })
    const payloadHash = requiredPayloadText(headers['x-amz-content-sha256'])
    checkAllSigned(headers, signedHeaders)
    const signed = signedRequest(request, { signedHeaders, payloadHash })
    return this.#verify(headers, { scope, amzDate, signature, signed })
  }

  /**
   * As above, for a request with a form (IAM, STS), whose body was read: its hash is part of what is signed. Such
   * services are the same everywhere: any region will do.
   */
  async authenticateQueryApi(request: {
    readonly address: Address
    readonly headers: Headers
    readonly service: string
    readonly bodySha256: string
  }): Promise<Identity> {
    const { headers, address, service, bodySha256 } = request
    if (headers.authorization === undefined) return anonymous
    const { scope, signature, signedHeaders } = parseAuthorization(headers.authorization)
    const amzDate = requestTime(headers, this.#clock.wallMs(), this.#limits)
    checkScope(scope, { region: scope.region, date: amzDate.slice(0, 8), service })
    checkAllSigned(headers, signedHeaders)
    if ((headers['x-amz-content-sha256'] ?? bodySha256) !== bodySha256) {
      throw new S3Error('XAmzContentSHA256Mismatch')
    }
    const asked = { method: 'POST', address, headers, anyRegion: true }
    const signed = signedRequest(asked, { signedHeaders, payloadHash: bodySha256 })
    const { identity } = await this.#verify(headers, { scope, amzDate, signature, signed })
    return identity
  }

  async #presigned(request: Unauthenticated): Promise<Authenticated> {
    const { query } = request.address
    const { scope, amzDate, signature, signedHeaders } = parsePresigned(query, {
      region: request.anyRegion ? undefined : this.#region,
      nowMs: this.#clock.wallMs(),
      limits: this.#limits,
    })
    checkAllSigned(request.headers, signedHeaders)
    const headers = hoistedHeaders(request.headers, query)
    const payloadHash = headers['x-amz-content-sha256'] ?? unsignedPayload
    const signed = {
      ...signedRequest(request, { signedHeaders, payloadHash }),
      exceptQuery: signatureQuery,
    }
    return this.#verify(headers, { scope, amzDate, signature, signed })
  }

  /**
   * A POST form by its fields: who signed its policy, and that the policy allows it. `anonymous` when the form claims
   * nothing. Throws S3Error; AccessDenied for what the policy does not allow.
   */
  async authenticateForm(
    request: Unauthenticated,
    fields: ReadonlyMap<string, string>,
  ): Promise<AuthenticatedForm> {
    if (request.headers.authorization !== undefined || isPresigned(request.address.query)) throw manySchemes()
    const claim = formClaim(fields, { region: this.#region, legacy: this.#legacyForms })
    const payload = { kind: 'unsigned' } as const
    const headers = { ...formHeaders(fields), host: request.headers.host }
    if (claim.kind === 'none') {
      const range = { bytesMin: 0, bytesMax: Number.MAX_SAFE_INTEGER }
      return { identity: anonymous, payload, headers, range }
    }
    const token = fields.get('x-amz-security-token')
    const { secretAccessKey, identity } = await this.#claimants.find(claim.accessKeyId, token)
    verifyForm(claim, secretAccessKey, (scope) => this.#keys.get(secretAccessKey, scope))
    const range = checkPostPolicy(parsePostPolicy(claim.policy), fields, this.#clock.wallMs())
    return { identity: await identity(), payload, headers, range }
  }

  async #verify(headers: Headers, claim: Claim): Promise<Authenticated> {
    const { scope, amzDate, signature, signed } = claim
    const claimant = await this.#claimants.find(scope.accessKeyId, headers['x-amz-security-token'])
    const key = this.#keys.get(claimant.secretAccessKey, scope)
    verifySignature(signed, { scope, amzDate, key, signature })
    const payload = parsePayload(signed.payloadHash, () => ({
      key,
      amzDate,
      scope: scopeText(scope),
      seedSignature: signature,
    }))
    return { identity: await claimant.identity(), payload, headers }
  }
}

function manySchemes(): S3Error {
  return new S3Error(
    'InvalidArgument',
    'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
  )
}

/** Nothing vouches for the body but its own digests; one that says it is signed in chunks cannot be. */
function unsigned({ headers }: Unauthenticated): Authenticated {
  const payload = parsePayload(headers['x-amz-content-sha256'] ?? unsignedPayload, () => {
    throw new S3Error('AccessDenied')
  })
  return { identity: anonymous, payload, headers }
}

function signedRequest(
  request: Unauthenticated,
  claim: { signedHeaders: readonly string[]; payloadHash: string },
): SignedRequest {
  return {
    method: request.method,
    rawPath: request.address.rawPath,
    query: request.address.query,
    headers: request.headers,
    ...claim,
  }
}
