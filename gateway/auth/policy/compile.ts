/**
 * Policies compiled to closures, once per text; and what one policy says of one request.
 *
 * Invariant: an explicit Deny that applies is found whatever else the policy allows. Combining several policies is
 * `decision.ts`'s.
 */
import { type Condition, compileCondition } from './conditions.ts'
import {
  type PolicyDocument,
  PolicyError,
  type PolicyKind,
  parsePolicyDocument,
  type StatementElement,
} from './document.ts'
import type { ContextKeys } from './keys.ts'
import { compileArnPattern, compilePattern, type Pattern } from './pattern.ts'
import {
  compilePrincipal,
  type PolicyPrincipal,
  type PrincipalMatch,
  type PrincipalMatcher,
  stronger,
} from './principal.ts'
import { isPublicPolicy } from './public-policy.ts'

export interface PolicyRequest {
  /** As IAM writes it: `s3:GetObject`. */
  readonly action: string
  readonly resource: string
  readonly principal: PolicyPrincipal
  readonly keys: ContextKeys
}

/** `match`: how closely the allowing statements name the principal; identity policies say 'entity'. */
export type PolicyVerdict =
  | { readonly effect: 'deny' }
  | { readonly effect: 'allow'; readonly match: Exclude<PrincipalMatch, 'none'> }
  | { readonly effect: 'none' }

export interface Policy {
  readonly document: PolicyDocument
  /** Lower-case names of all context keys that it reads. */
  readonly keys: ReadonlySet<string>
  /** Whether it asks for tags of the stored object. */
  readonly readsObject: boolean
  /** Whether it lets in anybody whom it does not fix; of resource policies. */
  readonly isPublic: boolean
  evaluate(request: PolicyRequest): PolicyVerdict
}

interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly keys: readonly string[]
  /** 'none' when it does not apply. */
  applies(request: PolicyRequest): PrincipalMatch
}

function compileActions(element: StatementElement): (action: string) => boolean {
  const patterns = element.actions.map((action) => {
    if (action !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(action)) {
      throw new PolicyError('Policy has invalid action')
    }
    return compilePattern(action.toLowerCase(), { wildcards: true, variables: false })
  })
  return (action) => {
    const folded = action.toLowerCase()
    return patterns.some((pattern) => pattern.matches(folded, noKeys)) !== element.notActions
  }
}

const noKeys: ContextKeys = { get: () => undefined }

function compileResources(element: StatementElement, variables: boolean): readonly Pattern[] {
  return element.resources.map((resource) => {
    const pattern = compileArnPattern(resource, { wildcards: true, variables })
    if (pattern === undefined) throw new PolicyError('Policy has invalid resource')
    return pattern
  })
}

function compilePrincipals(element: StatementElement): PrincipalMatcher {
  if (element.principal !== undefined) return compilePrincipal(element.principal)
  if (element.notPrincipal === undefined) return () => 'entity'
  const named = compilePrincipal(element.notPrincipal)
  return (principal) => (named(principal) === 'none' ? 'anyone' : 'none')
}

function compileStatement(element: StatementElement, variables: boolean): Statement {
  const principal = compilePrincipals(element)
  const action = compileActions(element)
  const resources = compileResources(element, variables)
  const conditions: readonly Condition[] = element.conditions.map((each) => compileCondition(each, variables))
  const { notResources } = element
  return {
    effect: element.effect,
    keys: [
      ...resources.flatMap((pattern) => pattern.variables),
      ...conditions.flatMap((condition) => condition.keys),
    ],
    applies: (request) => {
      if (!action(request.action)) return 'none'
      const { resource, keys } = request
      if (resources.some((pattern) => pattern.matches(resource, keys)) === notResources) return 'none'
      const match = principal(request.principal)
      if (match === 'none') return 'none'
      return conditions.every((condition) => condition.holds(keys)) ? match : 'none'
    },
  }
}

/** Parses and compiles a policy. Throws PolicyError. */
export function compilePolicy(text: string, kind: PolicyKind): Policy {
  const document = parsePolicyDocument(text, kind)
  const variables = document.version === '2012-10-17'
  const statements = document.statements.map((element) => compileStatement(element, variables))
  const denying = statements.filter((statement) => statement.effect === 'Deny')
  const allowing = statements.filter((statement) => statement.effect === 'Allow')
  const keys = new Set(statements.flatMap((statement) => statement.keys))
  return {
    document,
    keys,
    readsObject: [...keys].some((key) => key.startsWith('s3:existingobjecttag/')),
    isPublic: kind === 'resource' && isPublicPolicy(document),
    evaluate: (request) => {
      if (denying.some((statement) => statement.applies(request) !== 'none')) return { effect: 'deny' }
      let match: PrincipalMatch = 'none'
      for (const statement of allowing) {
        match = stronger(match, statement.applies(request))
        if (match === 'entity') break
      }
      return match === 'none' ? { effect: 'none' } : { effect: 'allow', match }
    },
  }
}
