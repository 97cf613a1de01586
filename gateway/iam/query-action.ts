/**
 * What an action of IAM or STS is: one row of data, and three functions.
 *
 * `decode` is pure: form to typed input, or a QueryError. `target` finds what the action is about, so that it can be
 * authorised by its ARN; `run` is called only when it is allowed and, if the target names one thing, when that exists.
 * Whether it exists is told only to those who may act on it.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import type { AccessCommand, AccessReplies } from '../../node/core/access-types.ts'
import type { Kms } from '../../node/world.ts'
import type { CredentialSource } from '../auth/credential-source.ts'
import type { Identity } from '../auth/identity.ts'
import type { PolicyCache } from '../auth/policy/policy-cache.ts'
import type { SessionTokens } from '../sts/session-token.ts'
import type { WebIdentities } from '../sts/web-identity.ts'
import type { QueryError } from './query-error.ts'
import type { QueryForm } from './query-form.ts'

/** What actions use of the registry. */
export type RegistryPort = Pick<ClusterClient['router'], 'queryRegistry' | 'proposeRegistry'>

/** What the query API is built with. */
export interface QueryParts {
  readonly registry: RegistryPort
  readonly kms: Kms
  readonly credentials: CredentialSource & { forget(): void }
  readonly sessions: SessionTokens
  readonly webIdentities: WebIdentities
}

/** Context keys of a request, by name in lower case. */
export type RequestContextKeys = Readonly<Record<string, readonly string[]>>

export interface ActionContext extends QueryParts {
  readonly identity: Identity
  readonly policies: PolicyCache
  /** Proposes under an id that the request's own follows from: repeated by the router, applied once. */
  readonly propose: <K extends AccessCommand['kind']>(
    requestId: string,
    command: Extract<AccessCommand, { kind: K }>,
  ) => Promise<AccessReplies[K]>
  /** Context keys of the request as policies see them, with these beside. */
  readonly contextKeys: (more: RequestContextKeys) => { get(name: string): readonly string[] | undefined }
  readonly requestId: string
  readonly nowMs: number
}

/** What an action is about. */
export interface Target<Entity> {
  /** As policies write it. */
  readonly arn: string
  /** Undefined: there is no such thing. */
  readonly entity: Entity | undefined
  /** What is answered then. */
  readonly missing?: QueryError
  /** For conditions of policies. */
  readonly contextKeys?: RequestContextKeys
}

export type QueryService = 'iam' | 'sts'

export interface QueryAction {
  /** As AWS writes it; also the label in metrics. */
  readonly name: string
  readonly service: QueryService
  /**
   * policies: the identity's policies decide, and `authorise` must be called. own: the action decides, for whoever
   * signs. anonymous: the action decides, and nothing need be signed.
   */
  readonly access: 'policies' | 'own' | 'anonymous'
  /** The markup of its result; undefined: it has none. */
  readonly run: (form: QueryForm, context: ActionContext, authorise: Authorise) => Promise<string | undefined>
}

/** Decides about an ARN; throws QueryError AccessDenied. */
export type Authorise = (arn: string, contextKeys?: RequestContextKeys) => void

interface Functions<Input, Entity> {
  readonly name: string
  decode(form: QueryForm): Input
  target(input: Input, context: ActionContext): Promise<Target<Entity>> | Target<Entity>
  run(input: Input, entity: Entity, context: ActionContext): Promise<string | undefined> | string | undefined
}

/** An action of IAM. */
export function defineIamAction<Input, Entity>(definition: Functions<Input, Entity>): QueryAction {
  const { name, decode, target, run } = definition
  return {
    name,
    service: 'iam',
    access: 'policies',
    run: async (form, context, authorise) => {
      const input = decode(form)
      const { arn, entity, missing, contextKeys } = await target(input, context)
      authorise(arn, contextKeys)
      if (entity === undefined) throw missing
      return run(input, entity, context)
    },
  }
}

const idAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A fresh id: four letters that say what it is, and 80 random bits; as AWS's look. */
export function newId(prefix: 'AIDA' | 'AGPA' | 'AROA' | 'ANPA' | 'AKIA' | 'ASIA'): string {
  let id: string = prefix
  for (const byte of randomBytes(16)) id += idAlphabet[byte & 31]
  return id
}

/** A fresh secret: 240 random bits. */
export function newSecret(): string {
  return randomBytes(30).toString('base64')
}
