/**
 * Policies interpreted slowly and obviously, straight from their JSON: no compilation, no shared line with the engine.
 * Knows the operators that the random policies use.
 */

export interface OracleRequest {
  readonly action: string
  readonly resource: string
  readonly principal: { readonly accountId: string; readonly arn: string; readonly anonymous: boolean }
  readonly keys: Readonly<Record<string, readonly string[]>>
}

type Fields = Readonly<Record<string, unknown>>
type Texts = string | readonly string[]

/** Wildcards by trying everything; memoised, or long stars would take for ever. */
export function globOracle(pattern: string, text: string): boolean {
  const seen = new Map<string, boolean>()
  const go = (p: number, t: number): boolean => {
    const key = `${p} ${t}`
    const known = seen.get(key)
    if (known !== undefined) return known
    let result: boolean
    if (p === pattern.length) result = t === text.length
    else if (pattern[p] === '*') result = go(p + 1, t) || (t < text.length && go(p, t + 1))
    else result = t < text.length && (pattern[p] === '?' || pattern[p] === text[t]) && go(p + 1, t + 1)
    seen.set(key, result)
    return result
  }
  return go(0, 0)
}

function list(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]) as readonly string[]
}

/** Undefined when a variable has no single value. Wildcards in its value are made literal by doubling nothing: tests use plain values. */
function substitute(text: string, keys: OracleRequest['keys']): string | undefined {
  let missing = false
  const filled = text.replace(/\$\{([a-zA-Z:]+)\}/g, (_, name: string) => {
    const values = keys[name.toLowerCase()]
    if (values?.length !== 1) missing = true
    return values?.[0] ?? ''
  })
  return missing ? undefined : filled
}

function arnOracle(pattern: string, resource: string): boolean {
  if (pattern === '*') return true
  const cut = (arn: string): string[] => {
    const parts = arn.split(':')
    return [...parts.slice(0, 5), parts.slice(5).join(':')]
  }
  const parts = cut(resource)
  return cut(pattern).every((part, index) => globOracle(part, parts[index] ?? ''))
}

function one(operator: string, wanted: string, value: string, keys: OracleRequest['keys']): boolean {
  switch (operator) {
    case 'StringEquals':
      return substitute(wanted, keys) === value
    case 'StringLike': {
      const filled = substitute(wanted, keys)
      return filled !== undefined && globOracle(filled, value)
    }
    case 'NumericLessThan':
      return Number(value) < Number(wanted)
    case 'Bool':
      return wanted.toLowerCase() === value.toLowerCase()
    default:
      throw new Error(`the oracle does not know ${operator}`)
  }
}

function conditionHolds(written: string, key: string, wanted: Texts, keys: OracleRequest['keys']): boolean {
  const found = keys[key.toLowerCase()] ?? []
  if (written === 'Null') return list(wanted).some((text) => (text === 'true') === (found.length === 0))
  const [quantifier, rest] = written.includes(':') ? written.split(':') : ['', written]
  const ifExists = rest?.endsWith('IfExists') ?? false
  const named = rest?.replace('IfExists', '') ?? ''
  const negated = named.includes('Not')
  const operator = named.replace('Not', '')
  const matches = (value: string): boolean => {
    const hit = list(wanted).some((each) => one(operator, each, value, keys))
    return negated ? !hit : hit
  }
  if (quantifier === 'ForAllValues') return found.every(matches)
  if (quantifier === 'ForAnyValue') return found.some(matches)
  if (found.length === 0) return negated || ifExists
  return negated ? found.every(matches) : found.some(matches)
}

function namesPrincipal(element: unknown, principal: OracleRequest['principal']): boolean {
  if (element === '*') return true
  return list((element as Fields).AWS).some((text) => {
    if (text === '*') return true
    if (principal.anonymous) return false
    return text === principal.arn || text === `arn:aws:iam::${principal.accountId}:root`
  })
}

function applies(statement: Fields, request: OracleRequest): boolean {
  const actions = list(statement.Action ?? statement.NotAction)
  const action = actions.some((each) => globOracle(each.toLowerCase(), request.action.toLowerCase()))
  if (action !== (statement.Action !== undefined)) return false
  const resources = list(statement.Resource ?? statement.NotResource)
  const resource = resources.some((each) => {
    const filled = substitute(each, request.keys)
    return filled !== undefined && arnOracle(filled, request.resource)
  })
  if (resource !== (statement.Resource !== undefined)) return false
  if (statement.Principal !== undefined && !namesPrincipal(statement.Principal, request.principal))
    return false
  if (statement.NotPrincipal !== undefined && namesPrincipal(statement.NotPrincipal, request.principal))
    return false
  const conditions = Object.entries((statement.Condition ?? {}) as Readonly<Record<string, Fields>>)
  return conditions.every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) =>
      conditionHolds(operator, key, wanted as Texts, request.keys),
    ),
  )
}

export function policyOracle(document: { Statement: readonly Fields[] }, request: OracleRequest) {
  const found = document.Statement.filter((statement) => applies(statement, request))
  if (found.some((statement) => statement.Effect === 'Deny')) return 'deny'
  return found.length > 0 ? 'allow' : 'none'
}
