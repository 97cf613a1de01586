/**
 * One decision from all policies that bear on a request, as AWS combines them. Pure.
 *
 * An explicit deny anywhere wins. Otherwise the request must be allowed: by the identity's side (identity policies,
 * within boundary and session policies), by the resource's side (bucket policy or ACL), or across accounts by both.
 * Source: IAM User Guide, "Policy evaluation logic" (within one account, across accounts).
 */
import type { Policy, PolicyRequest } from './compile.ts'
import { type PrincipalMatch, stronger } from './principal.ts'

export interface PolicySet {
  /** Of the user and his groups, or of the role. */
  readonly identity: readonly Policy[]
  readonly boundary?: Policy | undefined
  /** Of a session; absent: the session has none. */
  readonly session?: readonly Policy[] | undefined
  /** The bucket's. */
  readonly resource?: Policy | undefined
}

export interface DecisionOptions {
  /** Account that the resource belongs to. */
  readonly resourceAccountId: string
  /** What an ACL grants beside the bucket policy. */
  readonly grant?: PrincipalMatch
  /** An explicit deny of the resource policy does not count: the owner's way back to his bucket. */
  readonly ignoreResourceDeny?: boolean
}

/** explicit: a policy denies it. implicit: nothing allows it. */
export type Decision = 'allow' | 'explicit-deny' | 'implicit-deny'

type Side = 'deny' | 'allow' | 'none'

function anyOf(policies: readonly Policy[], request: PolicyRequest): Side {
  let side: Side = 'none'
  for (const policy of policies) {
    const { effect } = policy.evaluate(request)
    if (effect === 'deny') return 'deny'
    if (effect === 'allow') side = 'allow'
  }
  return side
}

/** Decides; `request.principal` is who asks. */
export function decide(policies: PolicySet, request: PolicyRequest, options: DecisionOptions): Decision {
  const { principal } = request
  const resource = policies.resource?.evaluate(request) ?? { effect: 'none' as const }
  if (resource.effect === 'deny' && options.ignoreResourceDeny !== true) return 'explicit-deny'
  const identity = anyOf(policies.identity, request)
  const boundary = policies.boundary === undefined ? 'allow' : anyOf([policies.boundary], request)
  const session = policies.session === undefined ? 'allow' : anyOf(policies.session, request)
  if (identity === 'deny' || boundary === 'deny' || session === 'deny') return 'explicit-deny'
  const bounded = boundary === 'allow' && session === 'allow'
  const fromPolicy = resource.effect === 'allow' ? resource.match : 'none'
  const grant = stronger(fromPolicy, options.grant ?? 'none')
  if (principal.kind === 'anonymous') return grant === 'anyone' ? 'allow' : 'implicit-deny'
  if (principal.kind === 'service') return grant === 'entity' ? 'allow' : 'implicit-deny'
  const own = (principal.isRoot || identity === 'allow') && bounded
  if (principal.accountId !== options.resourceAccountId) {
    return own && grant !== 'none' ? 'allow' : 'implicit-deny'
  }
  return own || grantedWithin(grant, { bounded, session: principal.kind === 'role' })
    ? 'allow'
    : 'implicit-deny'
}

/** Whether a bucket's own policy or ACL alone lets a principal of the same account in. */
function grantedWithin(grant: PrincipalMatch, { bounded, session }: { bounded: boolean; session: boolean }) {
  switch (grant) {
    case 'entity':
      return true
    case 'anyone':
      return bounded || !session
    case 'role':
      return bounded
    default:
      // The account itself: it hands permissions on through identity policies.
      return false
  }
}
