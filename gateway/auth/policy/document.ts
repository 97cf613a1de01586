/**
 * Policy documents as text and as checked values. What this accepts, `compile.ts` can compile.
 *
 * Size, syntax and field names are checked here; whether principals exist is not. Messages are those of S3.
 * Source: IAM User Guide, "Grammar of the IAM JSON policy language"; S3 User Guide, "Bucket policies".
 */

export const policyLimits = {
  /** AWS: a bucket policy has at most 20 KiB; identity policies are smaller. */
  documentBytesMax: 20 * 1024,
} as const

/** What is wrong with a policy, in AWS's words. S3 answers MalformedPolicy, IAM MalformedPolicyDocument. */
export class PolicyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PolicyError'
  }
}

/**
 * identity: attached to a user, group or role, or a session's. resource: a bucket's, names principals. trust: who may
 * assume a role; the role is its resource.
 */
export type PolicyKind = 'identity' | 'resource' | 'trust'

/** `*`, or names by type (AWS, CanonicalUser, Service, Federated). */
export type PrincipalElement = '*' | Readonly<Record<string, readonly string[]>>

export interface ConditionElement {
  /** As written, for example `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string
  /** As written. */
  readonly key: string
  readonly values: readonly string[]
}

export interface StatementElement {
  readonly sid: string | undefined
  readonly effect: 'Allow' | 'Deny'
  readonly principal: PrincipalElement | undefined
  readonly notPrincipal: PrincipalElement | undefined
  readonly actions: readonly string[]
  /** The actions are all but these. */
  readonly notActions: boolean
  /** Empty for trust policies. */
  readonly resources: readonly string[]
  readonly notResources: boolean
  readonly conditions: readonly ConditionElement[]
}

export interface PolicyDocument {
  readonly version: '2008-10-17' | '2012-10-17'
  readonly id: string | undefined
  readonly statements: readonly StatementElement[]
}

type Fields = Readonly<Record<string, unknown>>

const documentFields = new Set(['Version', 'Id', 'Statement'])
const statementFields = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
])
const principalTypes = new Set(['AWS', 'CanonicalUser', 'Service', 'Federated'])

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function knownFields(fields: Fields, known: ReadonlySet<string>): void {
  for (const name of Object.keys(fields)) if (!known.has(name)) throw new PolicyError(`Unknown field ${name}`)
}

/** One text or a list of them; at least one. */
function texts(value: unknown, message: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const found = list.filter((each): each is string => typeof each === 'string' && each !== '')
  if (found.length === 0 || found.length !== list.length) throw new PolicyError(message)
  return found
}

/** Exactly one of the two fields. */
function either(fields: Fields, names: readonly [string, string]): { value: unknown; not: boolean } {
  const [name, notName] = names
  const value = fields[name]
  const notValue = fields[notName]
  if (value !== undefined && notValue !== undefined) throw new PolicyError('Invalid policy syntax.')
  if (value === undefined && notValue === undefined) throw new PolicyError(`Missing required field ${name}`)
  return value === undefined ? { value: notValue, not: true } : { value, not: false }
}

function parsePrincipal(value: unknown): PrincipalElement {
  if (value === '*') return '*'
  if (!isFields(value)) throw new PolicyError('Invalid policy syntax.')
  const entries = Object.entries(value)
  if (entries.length === 0) throw new PolicyError('Invalid policy syntax.')
  const byType: [string, readonly string[]][] = []
  for (const [type, names] of entries) {
    if (!principalTypes.has(type)) throw new PolicyError('Invalid principal in policy')
    byType.push([type, texts(names, 'Invalid principal in policy')])
  }
  return Object.fromEntries(byType)
}

function conditionValues(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map((each) => {
    if (typeof each === 'string') return each
    if (typeof each === 'boolean' || typeof each === 'number') return String(each)
    throw new PolicyError('Invalid policy syntax.')
  })
}

function parseConditions(value: unknown): readonly ConditionElement[] {
  if (value === undefined) return []
  if (!isFields(value)) throw new PolicyError('Invalid policy syntax.')
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!isFields(keys)) throw new PolicyError('Invalid policy syntax.')
    return Object.entries(keys).map(([key, values]) => ({ operator, key, values: conditionValues(values) }))
  })
}

function parsePrincipals(fields: Fields, kind: PolicyKind, effect: 'Allow' | 'Deny') {
  const { Principal: principal, NotPrincipal: notPrincipal } = fields
  if (kind === 'identity') {
    if (principal !== undefined) throw new PolicyError('Policy document should not specify a principal.')
    if (notPrincipal !== undefined) throw new PolicyError('Policy document should not specify a principal.')
    return { principal: undefined, notPrincipal: undefined }
  }
  const { value, not } = either(fields, ['Principal', 'NotPrincipal'])
  // AWS: "NotPrincipal with Allow" would allow everybody else, anonymous users among them.
  if (not && effect === 'Allow') throw new PolicyError('Allow with NotPrincipal is not allowed.')
  const parsed = parsePrincipal(value)
  return not ? { principal: undefined, notPrincipal: parsed } : { principal: parsed, notPrincipal: undefined }
}

function parseResources(fields: Fields, kind: PolicyKind): { value: readonly string[]; not: boolean } {
  if (kind === 'trust') {
    if (fields.Resource !== undefined || fields.NotResource !== undefined) {
      throw new PolicyError('Has prohibited field Resource')
    }
    return { value: [], not: true }
  }
  const { value, not } = either(fields, ['Resource', 'NotResource'])
  return { value: texts(value, 'Policy has invalid resource'), not }
}

function parseStatement(value: unknown, kind: PolicyKind): StatementElement {
  if (!isFields(value)) throw new PolicyError('Invalid policy syntax.')
  knownFields(value, statementFields)
  const { Sid: sid, Effect: effect } = value
  if (sid !== undefined && typeof sid !== 'string') throw new PolicyError('Invalid policy syntax.')
  if (effect === undefined) throw new PolicyError('Missing required field Effect')
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyError(`Invalid effect : ${String(effect)}`)
  const principals = parsePrincipals(value, kind, effect)
  const actions = either(value, ['Action', 'NotAction'])
  const resources = parseResources(value, kind)
  return {
    sid,
    effect,
    ...principals,
    actions: texts(actions.value, 'Policy has invalid action'),
    notActions: actions.not,
    resources: resources.value,
    notResources: resources.not,
    conditions: parseConditions(value.Condition),
  }
}

/** Parses and checks the form of a document. Throws PolicyError. */
export function parsePolicyDocument(text: string, kind: PolicyKind): PolicyDocument {
  if (
    text.length > policyLimits.documentBytesMax ||
    Buffer.byteLength(text) > policyLimits.documentBytesMax
  ) {
    throw new PolicyError('Policy exceeds the maximum allowed document size.')
  }
  if (!text.trimStart().startsWith('{')) {
    throw new PolicyError("Policies must be valid JSON and the first byte must be '{'")
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message would quote the document.
    throw new PolicyError('This policy contains invalid Json')
  }
  if (!isFields(value)) throw new PolicyError('Invalid policy syntax.')
  knownFields(value, documentFields)
  const { Version: version = '2008-10-17', Id: id, Statement: statement } = value
  if (version !== '2008-10-17' && version !== '2012-10-17') {
    throw new PolicyError('The policy must contain a valid version string')
  }
  if (id !== undefined && typeof id !== 'string') throw new PolicyError('Invalid policy syntax.')
  if (statement === undefined) throw new PolicyError('Missing required field Statement')
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement]
  if (list.length === 0) throw new PolicyError('Could not parse the policy: Statement is empty!')
  return { version, id, statements: list.map((each) => parseStatement(each, kind)) }
}
