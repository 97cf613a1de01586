/**
 * Who asks, as policies know him, and whether a policy names him.
 *
 * ARNs are AWS's. Accounts need not be twelve digits: a user who belongs to none is the root of an account of his own,
 * named by his user id. Beside AWS's forms an empty account in `arn:aws:iam:::user/<userId>` names a user by his id,
 * as Ceph's gateway writes it: user ids are unique, so nobody else is meant.
 */
import { PolicyError, type PrincipalElement } from './document.ts'

export interface PolicyPrincipal {
  readonly kind: 'anonymous' | 'user' | 'role' | 'service'
  /** `''` for anonymous and services. */
  readonly accountId: string
  readonly userId: string
  /** Of the user, or of the role's session (`arn:aws:sts::...:assumed-role/<role>/<session>`); a service's name. */
  readonly arn: string
  /** Of the role behind a session. */
  readonly roleArn?: string
  /** The account itself: no identity policy limits it. */
  readonly isRoot: boolean
}

/** How closely a policy names a principal; what an Allow grants depends on it (see `decision.ts`). */
export type PrincipalMatch = 'none' | 'account' | 'anyone' | 'role' | 'entity'

const strength: Readonly<Record<PrincipalMatch, number>> = {
  none: 0,
  account: 1,
  anyone: 2,
  role: 3,
  entity: 4,
}

export function stronger(a: PrincipalMatch, b: PrincipalMatch): PrincipalMatch {
  return strength[a] >= strength[b] ? a : b
}

export type PrincipalMatcher = (principal: PolicyPrincipal) => PrincipalMatch

const iamArn = /^arn:aws[a-z-]*:(iam|sts)::([^:*?]*):([^:*?]+)$/
const plainId = /^[\w$.@=+-]{1,128}$/

function arnMatcher(text: string): PrincipalMatcher {
  const [, , account = '', resource = ''] = iamArn.exec(text) ?? []
  if (resource === '') throw new PolicyError('Invalid principal in policy')
  if (resource === 'root') {
    if (account === '') throw new PolicyError('Invalid principal in policy')
    return (principal) => (principal.accountId === account ? 'account' : 'none')
  }
  if (!/^(user|role|assumed-role|federated-user)\/./.test(resource)) {
    throw new PolicyError('Invalid principal in policy')
  }
  if (account === '') {
    const userId = resource.startsWith('user/') ? resource.slice('user/'.length) : undefined
    return (principal) =>
      principal.kind === 'user' && userId !== undefined && principal.userId === userId ? 'entity' : 'none'
  }
  return (principal) => {
    if (principal.arn === text) return 'entity'
    return principal.roleArn === text ? 'role' : 'none'
  }
}

function awsMatcher(text: string): PrincipalMatcher {
  if (text === '*') return (principal) => (principal.kind === 'service' ? 'none' : 'anyone')
  if (text.startsWith('arn:')) return arnMatcher(text)
  if (!plainId.test(text)) throw new PolicyError('Invalid principal in policy')
  return (principal) => {
    if (principal.kind === 'anonymous' || principal.kind === 'service') return 'none'
    if (principal.userId === text && !principal.isRoot) return 'entity'
    return principal.accountId === text ? 'account' : 'none'
  }
}

function matcherOf(type: string, text: string): PrincipalMatcher {
  switch (type) {
    case 'AWS':
      return awsMatcher(text)
    case 'CanonicalUser':
      if (!plainId.test(text)) throw new PolicyError('Invalid principal in policy')
      return (principal) => (principal.accountId === text ? 'account' : 'none')
    case 'Service':
      return (principal) => (principal.kind === 'service' && principal.arn === text ? 'entity' : 'none')
    default:
      // Federated: only in trust policies, where the token's provider is the principal's ARN.
      return (principal) => (principal.kind === 'service' && principal.arn === text ? 'entity' : 'none')
  }
}

/** Compiles a Principal element. Throws PolicyError for what names nobody. */
export function compilePrincipal(element: PrincipalElement): PrincipalMatcher {
  if (element === '*') return awsMatcher('*')
  const matchers = Object.entries(element).flatMap(([type, texts]) =>
    texts.map((text) => matcherOf(type, text)),
  )
  return (principal) =>
    matchers.reduce<PrincipalMatch>((found, match) => stronger(found, match(principal)), 'none')
}

/** Whether the element names everybody. */
export function namesEverybody(element: PrincipalElement): boolean {
  return element === '*' || (element.AWS?.includes('*') ?? false)
}
