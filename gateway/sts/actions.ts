/**
 * The actions of STS: AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken, GetCallerIdentity.
 *
 * Invariants: a role is assumed only by whom its trust policy lets in, and across accounts only by whom his own account
 * lets go, too; whether a role exists is told to nobody else.
 * Source: AWS STS API Reference; IAM User Guide, "Policy evaluation logic".
 */
import type { AccessTag, OidcProvider, Role } from '../../node/core/access-types.ts'
import { roleArn as arnOfRole, type Identity } from '../auth/identity.ts'
import { identityPolicySet, principalOf } from '../auth/identity-side.ts'
import { decide } from '../auth/policy/decision.ts'
import type { PolicyPrincipal } from '../auth/policy/principal.ts'
import { providerArn } from '../iam/actions/providers.ts'
import type { ActionContext, QueryAction, RequestContextKeys } from '../iam/query-action.ts'
import { QueryError } from '../iam/query-error.ts'
import { element, wrap } from '../s3/xml.ts'
import {
  checkPolicyAccount,
  decodeSession,
  grant,
  requestTagKeys,
  roleSeconds,
  type SessionRequest,
  sessionTagKeys,
} from './session-grant.ts'
import { stsLimits } from './sts-limits.ts'
import { issuerOf, type WebIdentity } from './web-identity.ts'

function denied(action: string, who: string, what: string): QueryError {
  return new QueryError(
    'AccessDenied',
    `User: ${who} is not authorized to perform: ${action} on resource: ${what}`,
  )
}

/** A role of any account by its ARN. */
async function findRole({ registry }: ActionContext, arn: string): Promise<Role | undefined> {
  const [, accountId, path] = /^arn:aws:iam::([^:]+):role(\/[\x21-\x7e]{1,640})$/.exec(arn) ?? []
  if (accountId === undefined || path === undefined) return undefined
  const ref = { accountId, name: path.slice(path.lastIndexOf('/') + 1) }
  const { found } = await registry.queryRegistry({ kind: 'find-entity', entity: 'role', ref })
  const role = found as Role | undefined
  return role !== undefined && arnOfRole(role) === arn ? role : undefined
}

/** The answer of both ways to assume a role. */
function assumed(
  role: Role,
  sessionName: string,
  { credentials, packedPercent }: { credentials: string; packedPercent: number },
): string {
  const arn = `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${sessionName}`
  return [
    credentials,
    wrap('AssumedRoleUser', element('AssumedRoleId', `${role.roleId}:${sessionName}`), element('Arn', arn)),
    element('PackedPolicySize', packedPercent),
  ].join('')
}

function narrowing({ policy, policyArns }: SessionRequest) {
  return {
    ...(policy === undefined ? {} : { policies: [policy] }),
    ...(policyArns.length === 0 ? {} : { policyArns }),
  }
}

/** Tags that the caller's own session hands on, those asked for beside; a tag that is handed on is not changed. */
function inheritedTags(identity: Identity, asked: readonly AccessTag[]): readonly AccessTag[] {
  const names = identity.session?.transitiveTags ?? []
  const inherited = names.flatMap((key) => {
    const value = identity.contextKeys?.[`aws:principaltag/${key.toLowerCase()}`]?.[0]
    return value === undefined ? [] : [{ key, value }]
  })
  const taken = new Set(inherited.map(({ key }) => key.toLowerCase()))
  const clash = asked.find(({ key }) => taken.has(key.toLowerCase()))
  if (clash === undefined) return inherited
  throw new QueryError(
    'InvalidInput',
    `The tag ${clash.key} is handed on by the session and cannot be changed.`,
  )
}

const assumeRole: QueryAction = {
  name: 'AssumeRole',
  service: 'sts',
  access: 'own',
  run: async (form, context) => {
    const { identity } = context
    const request = decodeSession(form)
    const tags = form.tags()
    const transitive = form.list('TransitiveTagKeys')
    const externalId = form.matching('ExternalId', /^[\w+=,.@:/-]{2,1224}$/)
    const sourceIdentity = form.matching('SourceIdentity', /^[\w+=,.@-]{2,64}$/)
    const inherited = inheritedTags(identity, tags)
    const role = await findRole(context, request.roleArn)
    const keys: RequestContextKeys = {
      'sts:rolesessionname': [request.sessionName],
      ...(externalId === undefined ? {} : { 'sts:externalid': [externalId] }),
      ...(sourceIdentity === undefined ? {} : { 'sts:sourceidentity': [sourceIdentity] }),
      ...(transitive.length === 0 ? {} : { 'sts:transitivetagkeys': transitive }),
      ...requestTagKeys(tags),
    }
    const actions = ['sts:AssumeRole']
    if (tags.length > 0) actions.push('sts:TagSession')
    if (sourceIdentity !== undefined) actions.push('sts:SetSourceIdentity')
    for (const action of actions) {
      if (role === undefined || !mayAssume(context, role, { action, keys })) {
        throw denied(action, identity.arn, request.roleArn)
      }
    }
    if (role === undefined) throw denied('sts:AssumeRole', identity.arn, request.roleArn)
    checkPolicyAccount(request.policyArns, role.accountId)
    const { maxSessionSeconds, roleId } = role
    const chained = identity.kind === 'role'
    const seconds = roleSeconds(request.durationSeconds, { maxSessionSeconds, chained })
    const { sessionName } = request
    const granted = await grant(context, seconds, {
      subject: { kind: 'role', roleId, sessionName },
      ...narrowing(request),
      contextKeys: {
        ...sessionTagKeys([...inherited, ...tags]),
        ...(sourceIdentity === undefined ? {} : { 'aws:sourceidentity': [sourceIdentity] }),
      },
      transitiveTags: [...inherited.map(({ key }) => key), ...transitive],
    })
    return assumed(role, sessionName, granted) + element('SourceIdentity', sourceIdentity)
  },
}

/** Within an account the trust policy may name the caller himself; otherwise his policies must allow it, too. */
function mayAssume(
  context: ActionContext,
  role: Role,
  { action, keys }: { action: string; keys: RequestContextKeys },
): boolean {
  const { identity, policies, contextKeys } = context
  const resource = policies.get(role.trustPolicy, 'trust')
  const request = {
    action,
    resource: arnOfRole(role),
    principal: principalOf(identity),
    keys: contextKeys(keys),
  }
  const set = { ...identityPolicySet(identity, policies), resource }
  return decide(set, request, { resourceAccountId: role.accountId }) === 'allow'
}

const tagsClaim = 'https://aws.amazon.com/tags'

/** Tags that the provider gives a session in the token (AWS, "Passing session tags in STS"). */
function claimedTags({ claims }: WebIdentity): { tags: readonly AccessTag[]; transitive: readonly string[] } {
  const claim = claims[tagsClaim]
  if (typeof claim !== 'object' || claim === null) return { tags: [], transitive: [] }
  const { principal_tags: given, transitive_tag_keys: handed } = claim as Record<string, unknown>
  const tags = Object.entries(typeof given === 'object' && given !== null ? given : {}).flatMap(
    ([key, values]) => {
      const value: unknown = [values].flat()[0]
      return typeof value === 'string' && key.length <= 128 && value.length <= 256 ? [{ key, value }] : []
    },
  )
  if (tags.length > stsLimits.tagsMax)
    throw new QueryError('InvalidIdentityToken', 'The token has too many tags.')
  const transitive = Array.isArray(handed) ? handed.filter((key) => typeof key === 'string') : []
  return { tags, transitive }
}

/** What conditions may ask of a token: `<issuer>:aud`, `:sub`, and the other claims that AWS names. */
function claimKeys({ url }: OidcProvider, identity: WebIdentity): RequestContextKeys {
  const prefix = url.toLowerCase()
  const { amr } = identity.claims
  return {
    [`${prefix}:aud`]: [identity.audience],
    [`${prefix}:sub`]: [identity.subject],
    [`${prefix}:oaud`]: [identity.claims.aud ?? []].flat(),
    ...(Array.isArray(amr) ? { [`${prefix}:amr`]: amr.filter((each) => typeof each === 'string') } : {}),
  }
}

const assumeRoleWithWebIdentity: QueryAction = {
  name: 'AssumeRoleWithWebIdentity',
  service: 'sts',
  access: 'anonymous',
  run: async (form, context) => {
    const request = decodeSession(form)
    const token = form.required('WebIdentityToken')
    const { roleArn, sessionName } = request
    const action = 'sts:AssumeRoleWithWebIdentity'
    const refused = new QueryError('AccessDenied', `Not authorized to perform ${action}`)
    const { url, issuer } = issuerOf(token)
    const role = await findRole(context, roleArn)
    if (role === undefined) throw refused
    const { accountId, roleId, maxSessionSeconds } = role
    const found = await context.registry.queryRegistry({ kind: 'oidc-providers', accountId, url })
    const provider = found.providers[0]
    if (provider === undefined) {
      throw new QueryError(
        'InvalidIdentityToken',
        `No OpenIDConnect provider found in your account for ${issuer}`,
      )
    }
    const identity = await context.webIdentities.verify(token, provider)
    const { tags, transitive } = claimedTags(identity)
    const claims = claimKeys(provider, identity)
    const arn = providerArn(provider)
    const principal: PolicyPrincipal = { kind: 'service', accountId: '', userId: '', arn, isRoot: false }
    const keys = context.contextKeys({
      ...claims,
      'sts:rolesessionname': [sessionName],
      ...requestTagKeys(tags),
    })
    const trust = context.policies.get(role.trustPolicy, 'trust')
    for (const each of tags.length === 0 ? [action] : [action, 'sts:TagSession']) {
      const verdict = trust.evaluate({ action: each, resource: roleArn, principal, keys })
      if (verdict.effect !== 'allow') throw refused
    }
    checkPolicyAccount(request.policyArns, accountId)
    const seconds = roleSeconds(request.durationSeconds, { maxSessionSeconds, chained: false })
    const granted = await grant(context, seconds, {
      subject: { kind: 'role', roleId, sessionName },
      ...narrowing(request),
      contextKeys: { ...claims, 'aws:federatedprovider': [arn], ...sessionTagKeys(tags) },
      transitiveTags: transitive,
    })
    return [
      assumed(role, sessionName, granted),
      element('SubjectFromWebIdentityToken', identity.subject),
      element('Audience', identity.audience),
      element('Provider', identity.issuer),
    ].join('')
  },
}

const getSessionToken: QueryAction = {
  name: 'GetSessionToken',
  service: 'sts',
  access: 'own',
  run: async (form, context) => {
    const { identity, policies, contextKeys } = context
    const { accountId, userId, accessKeyId } = identity
    if (identity.kind !== 'user' || identity.session !== undefined) {
      throw new QueryError('AccessDenied', 'Cannot call GetSessionToken with session credentials')
    }
    const bounds = { min: stsLimits.durationSecondsMin, max: stsLimits.tokenSecondsMax }
    const asked = form.integer('DurationSeconds', bounds) ?? stsLimits.tokenSecondsDefault
    const seconds = identity.isRoot ? Math.min(asked, stsLimits.rootTokenSecondsMax) : asked
    const action = 'sts:GetSessionToken'
    // Needs no permission, but an explicit deny is one.
    const request = { action, resource: '*', principal: principalOf(identity), keys: contextKeys({}) }
    const decision = decide(identityPolicySet(identity, policies), request, { resourceAccountId: accountId })
    if (decision === 'explicit-deny') throw denied(action, identity.arn, '*')
    const { credentials } = await grant(context, seconds, { subject: { kind: 'user', userId, accessKeyId } })
    return credentials
  },
}

const getCallerIdentity: QueryAction = {
  name: 'GetCallerIdentity',
  service: 'sts',
  access: 'own',
  run: async (_, { identity }) =>
    element('Arn', identity.arn) +
    element('UserId', identity.userId) +
    element('Account', identity.accountId),
}

export const stsActions: readonly QueryAction[] = [
  assumeRole,
  assumeRoleWithWebIdentity,
  getSessionToken,
  getCallerIdentity,
]
