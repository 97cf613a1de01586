/**
 * The one funnel of IAM and STS: form, action, authentication, authorisation, answer; and the one place where their
 * errors become answers.
 *
 * Invariants: an action runs only for an identity that was proved over this very body, or without one where the action
 * proves it itself; an action that policies decide runs only after `authorise` said yes (one that did not ask is a bug);
 * every secret is in its answer alone.
 */
import { createHash } from 'node:crypto'
import type { Authenticator } from '../auth/authenticate.ts'
import type { Identity } from '../auth/identity.ts'
import { identityPolicySet, principalOf } from '../auth/identity-side.ts'
import { decide } from '../auth/policy/decision.ts'
import type { ContextKeys } from '../auth/policy/keys.ts'
import { PolicyCache } from '../auth/policy/policy-cache.ts'
import type { Address } from '../s3/address.ts'
import type { Headers } from '../s3/headers.ts'
import { element, wrap, xmlHead } from '../s3/xml.ts'
import { stsActions } from '../sts/actions.ts'
import { iamActions } from './actions/index.ts'
import type {
  ActionContext,
  Authorise,
  QueryAction,
  QueryParts,
  QueryService,
  RequestContextKeys,
} from './query-action.ts'
import { QueryError, type QueryErrorCode, toQueryError } from './query-error.ts'
import { formLimits, QueryForm } from './query-form.ts'

/** AWS's names of the two interfaces: version of the API, namespace of its answers. */
const services: Readonly<Record<QueryService, { readonly version: string; readonly namespace: string }>> = {
  iam: { version: '2010-05-08', namespace: 'https://iam.amazonaws.com/doc/2010-05-08/' },
  sts: { version: '2011-06-15', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' },
}

const formType = 'application/x-www-form-urlencoded'

/** A request as it came, its body not read yet. */
export interface QueryRequest {
  readonly address: Address
  readonly headers: Headers
  readonly requestId: string
  readonly nowMs: number
  /** Reads the body. Throws S3Error when it is longer than that. */
  readBody(bytesMax: number): Promise<Buffer>
  /** The request as policies see it. */
  keysOf(about: {
    readonly identity: Identity
    readonly action: string
    readonly more: RequestContextKeys
  }): ContextKeys
}

export interface QueryAnswer {
  readonly status: number
  /** XML. */
  readonly body: string
  /** Label of metrics: the action, once it is known. */
  readonly operation: string | undefined
  readonly outcome: 'OK' | QueryErrorCode
  /** What went wrong inside, for the log. */
  readonly fault: unknown
}

export const queryActions: readonly QueryAction[] = [...iamActions, ...stsActions]

export class QueryApi {
  readonly #parts: QueryParts
  readonly #authenticator: Authenticator
  readonly #policies = new PolicyCache()
  readonly #actions = new Map(queryActions.map((action) => [`${action.service}:${action.name}`, action]))

  constructor(parts: QueryParts, authenticator: Authenticator) {
    this.#parts = parts
    this.#authenticator = authenticator
  }

  /** Whether a request is for this API: a form sent to the endpoint itself. */
  takes(request: { readonly method: string; readonly address: Address; readonly headers: Headers }): boolean {
    const { method, address, headers } = request
    if (method !== 'POST' || address.bucket !== '' || address.query.length > 0) return false
    return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === formType
  }

  /** Never rejects. */
  async serve(request: QueryRequest): Promise<QueryAnswer> {
    let action: QueryAction | undefined
    try {
      const body = await request.readBody(formLimits.bytesMax)
      const form = new QueryForm(body)
      action = this.#find(form)
      const result = await this.#run(action, form, { request, body })
      return { status: 200, body: success(action, result, request), ...outcome(action, 'OK') }
    } catch (thrown) {
      const error = toQueryError(thrown)
      const markup = failure(action?.service ?? 'iam', error, request)
      const fault = error.code === 'InternalFailure' ? error.cause : undefined
      return { status: error.status, body: markup, ...outcome(action, error.code), fault }
    }
  }

  #find(form: QueryForm): QueryAction {
    const { action, version } = form
    const service = version === services.sts.version ? 'sts' : 'iam'
    const found =
      version === services[service].version ? this.#actions.get(`${service}:${action}`) : undefined
    if (found !== undefined) return found
    throw new QueryError(
      'InvalidAction',
      `Could not find operation ${action.slice(0, 128)} for version ${version.slice(0, 32)}`,
    )
  }

  async #run(
    action: QueryAction,
    form: QueryForm,
    { request, body }: { request: QueryRequest; body: Buffer },
  ): Promise<string | undefined> {
    const identity = await this.#authenticate(action, request, body)
    const iamName = `${action.service}:${action.name}`
    let decided = action.access !== 'policies'
    const authorise: Authorise = (arn, contextKeys = {}) => {
      this.#authorise(request, { identity, action: iamName, arn, contextKeys })
      decided = true
    }
    const context = this.#context(request, identity, () => decided)
    const result = await action.run(form, context, authorise)
    if (!decided) throw new Error(`${iamName} was not authorised`)
    return result
  }

  async #authenticate(action: QueryAction, request: QueryRequest, body: Buffer): Promise<Identity> {
    const { address, headers } = request
    const bodySha256 = createHash('sha256').update(body).digest('hex')
    const { service } = action
    const identity = await this.#authenticator.authenticateQueryApi({ address, headers, service, bodySha256 })
    if (identity.kind === 'anonymous' && action.access !== 'anonymous') {
      throw new QueryError('MissingAuthenticationToken', 'Request is missing Authentication Token')
    }
    // AWS: a session of a user's own may not do what outlives it.
    if (service === 'iam' && identity.kind === 'user' && identity.session !== undefined) {
      throw new QueryError('AccessDenied', 'IAM is not for sessions of GetSessionToken.')
    }
    return identity
  }

  /** Everything that IAM manages is in the caller's account: one decision by the identity's own policies. */
  #authorise(
    request: QueryRequest,
    about: { identity: Identity; action: string; arn: string; contextKeys: RequestContextKeys },
  ): void {
    const { identity, action, arn, contextKeys: more } = about
    const keys = request.keysOf({ identity, action, more })
    const asked = { action, resource: arn, principal: principalOf(identity), keys }
    const decision = decide(identityPolicySet(identity, this.#policies), asked, {
      resourceAccountId: identity.accountId,
    })
    if (decision === 'allow') return
    const why =
      decision === 'explicit-deny' ? 'with an explicit deny' : 'because no identity-based policy allows it'
    throw new QueryError(
      'AccessDenied',
      `User: ${identity.arn} is not authorized to perform: ${action} on resource: ${arn} ${why}`,
    )
  }

  #context(request: QueryRequest, identity: Identity, isDecided: () => boolean): ActionContext {
    const { registry, credentials } = this.#parts
    const propose: ActionContext['propose'] = async (requestId, command) => {
      if (!isDecided()) throw new Error('a change that was not authorised')
      try {
        const attributed: typeof command = { ...command, by: identity.arn }
        return await registry.proposeRegistry(requestId, attributed)
      } finally {
        credentials.forget()
      }
    }
    return {
      ...this.#parts,
      identity,
      policies: this.#policies,
      propose,
      contextKeys: (more) => request.keysOf({ identity, action: '', more }),
      requestId: request.requestId,
      nowMs: request.nowMs,
    }
  }
}

function outcome(action: QueryAction | undefined, code: QueryAnswer['outcome']) {
  const operation = action === undefined ? undefined : `${action.service}:${action.name}`
  return { operation, outcome: code, fault: undefined as unknown }
}

function success(action: QueryAction, result: string | undefined, { requestId }: QueryRequest): string {
  const { name, service } = action
  return [
    xmlHead,
    `<${name}Response xmlns="${services[service].namespace}">`,
    result === undefined ? '' : wrap(`${name}Result`, result),
    wrap('ResponseMetadata', element('RequestId', requestId)),
    `</${name}Response>`,
  ].join('')
}

function failure(service: QueryService, error: QueryError, { requestId }: QueryRequest): string {
  return [
    xmlHead,
    `<ErrorResponse xmlns="${services[service].namespace}">`,
    wrap(
      'Error',
      element('Type', error.status >= 500 ? 'Receiver' : 'Sender'),
      element('Code', error.code),
      element('Message', error.message),
    ),
    element('RequestId', requestId),
    '</ErrorResponse>',
  ].join('')
}
