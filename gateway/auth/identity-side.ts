/** An identity as policies see it: who he is, and which policies are his. */
import type { Identity } from './identity.ts'
import type { PolicySet } from './policy/decision.ts'
import type { PolicyCache } from './policy/policy-cache.ts'
import type { PolicyPrincipal } from './policy/principal.ts'

export function principalOf(identity: Identity): PolicyPrincipal {
  const { kind, accountId, userId, arn, isRoot, roleArn } = identity
  return { kind, accountId, userId, arn, isRoot, ...(roleArn === undefined ? {} : { roleArn }) }
}

export function identityPolicySet(identity: Identity, cache: PolicyCache): Omit<PolicySet, 'resource'> {
  const { policies, boundary, sessionPolicies } = identity
  const compiled = (text: string) => cache.get(text, 'identity')
  return {
    identity: policies.map(compiled),
    boundary: boundary === undefined ? undefined : compiled(boundary),
    session: sessionPolicies?.map(compiled),
  }
}
