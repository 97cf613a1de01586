/**
 * Condition operators of policies, each compiled with its values once.
 *
 * Rules: conditions of a statement must all hold. The values of one are alternatives; a negated operator holds when
 * none of them matches. A key that is absent fails, but for negated operators and `...IfExists`; `ForAllValues` holds
 * then and `ForAnyValue` does not, whatever they stand before.
 * Source: IAM User Guide, "Condition operators" and "Multivalued context keys".
 */
import { BlockList, isIP } from 'node:net'
import { type ConditionElement, PolicyError } from './document.ts'
import type { ContextKeys } from './keys.ts'
import { compileArnPattern, compilePattern, type Pattern, type PatternSyntax } from './pattern.ts'

export interface Condition {
  holds(keys: ContextKeys): boolean
  /** Lower-case names of the context keys that it reads. */
  readonly keys: readonly string[]
}

/** Whether a value of the request matches one of the policy's values. */
interface Values {
  matches(value: string, keys: ContextKeys): boolean
  readonly variables: readonly string[]
}

interface Operator {
  readonly negated: boolean
  compile(values: readonly string[], variables: boolean): Values
}

function anyPattern(patterns: readonly Pattern[]): Values {
  return {
    variables: patterns.flatMap((pattern) => pattern.variables),
    matches: (value, keys) => patterns.some((pattern) => pattern.matches(value, keys)),
  }
}

function plain(matches: (value: string) => boolean): Values {
  return { variables: [], matches }
}

function textValues(wildcards: boolean) {
  return (values: readonly string[], variables: boolean): Values =>
    anyPattern(values.map((value) => compilePattern(value, { wildcards, variables })))
}

/** Folds case on both sides; names of variables are case-insensitive anyway. */
function ignoreCaseValues(values: readonly string[], variables: boolean): Values {
  const syntax: PatternSyntax = { wildcards: false, variables }
  const patterns = values.map((value) => compilePattern(value.toLowerCase(), syntax))
  const lower = (keys: ContextKeys): ContextKeys => ({
    get: (name) => keys.get(name)?.map((value) => value.toLowerCase()),
  })
  const names = patterns.flatMap((pattern) => pattern.variables)
  return {
    variables: names,
    matches: (value, keys) => {
      const folded = value.toLowerCase()
      const source = names.length === 0 ? keys : lower(keys)
      return patterns.some((pattern) => pattern.matches(folded, source))
    },
  }
}

function arnValues(values: readonly string[], variables: boolean): Values {
  const syntax: PatternSyntax = { wildcards: true, variables }
  const nothing: Pattern = { variables: [], matches: () => false }
  return anyPattern(values.map((value) => compileArnPattern(value, syntax) ?? nothing))
}

const decimal = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function parseNumber(text: string): number | undefined {
  return decimal.test(text.trim()) ? Number(text) : undefined
}

const isoDate =
  /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?)?$/

/** ISO 8601 (W3C), or seconds since the epoch; to ms. */
function parseDate(text: string): number | undefined {
  if (/^\d{5,}$/.test(text)) return Number(text) * 1000
  if (!isoDate.test(text)) return undefined
  const zoned = !text.includes('T') || /(?:Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`
  const ms = Date.parse(zoned)
  return Number.isNaN(ms) ? undefined : ms
}

function ordered(
  parse: (text: string) => number | undefined,
  holds: (value: number, wanted: number) => boolean,
) {
  return (values: readonly string[]): Values => {
    const wanted = values.map((text) => {
      const value = parse(text)
      if (value === undefined) throw new PolicyError('Invalid policy syntax.')
      return value
    })
    return plain((text) => {
      const value = parse(text)
      return value !== undefined && wanted.some((each) => holds(value, each))
    })
  }
}

function boolValues(values: readonly string[]): Values {
  const wanted = values.map((text) => text.toLowerCase())
  if (wanted.some((text) => text !== 'true' && text !== 'false'))
    throw new PolicyError('Invalid policy syntax.')
  return plain((text) => wanted.includes(text.toLowerCase()))
}

function binaryValues(values: readonly string[]): Values {
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('hex')
  const wanted = new Set(values.map(decode))
  return plain((text) => wanted.has(decode(text)))
}

/** Addresses and ranges in CIDR notation, of both families. */
function ipValues(values: readonly string[]): Values {
  const list = new BlockList()
  for (const text of values) {
    const [address = '', prefix, ...rest] = text.split('/')
    const version = isIP(address)
    const bitsMax = version === 4 ? 32 : 128
    const bits = prefix === undefined ? bitsMax : /^\d{1,3}$/.test(prefix) ? Number(prefix) : bitsMax + 1
    if (version === 0 || rest.length > 0 || bits > bitsMax) throw new PolicyError('Invalid policy syntax.')
    list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6')
  }
  return plain((text) => {
    const version = isIP(text)
    return version !== 0 && list.check(text, version === 4 ? 'ipv4' : 'ipv6')
  })
}

const equal = (value: number, wanted: number): boolean => value === wanted
const less = (value: number, wanted: number): boolean => value < wanted
const lessOrEqual = (value: number, wanted: number): boolean => value <= wanted
const greater = (value: number, wanted: number): boolean => value > wanted
const greaterOrEqual = (value: number, wanted: number): boolean => value >= wanted

const is = (compile: Operator['compile']): Operator => ({ negated: false, compile })
const isNot = (compile: Operator['compile']): Operator => ({ negated: true, compile })

const operators: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', is(textValues(false))],
  ['StringNotEquals', isNot(textValues(false))],
  ['StringEqualsIgnoreCase', is(ignoreCaseValues)],
  ['StringNotEqualsIgnoreCase', isNot(ignoreCaseValues)],
  ['StringLike', is(textValues(true))],
  ['StringNotLike', isNot(textValues(true))],
  ['NumericEquals', is(ordered(parseNumber, equal))],
  ['NumericNotEquals', isNot(ordered(parseNumber, equal))],
  ['NumericLessThan', is(ordered(parseNumber, less))],
  ['NumericLessThanEquals', is(ordered(parseNumber, lessOrEqual))],
  ['NumericGreaterThan', is(ordered(parseNumber, greater))],
  ['NumericGreaterThanEquals', is(ordered(parseNumber, greaterOrEqual))],
  ['DateEquals', is(ordered(parseDate, equal))],
  ['DateNotEquals', isNot(ordered(parseDate, equal))],
  ['DateLessThan', is(ordered(parseDate, less))],
  ['DateLessThanEquals', is(ordered(parseDate, lessOrEqual))],
  ['DateGreaterThan', is(ordered(parseDate, greater))],
  ['DateGreaterThanEquals', is(ordered(parseDate, greaterOrEqual))],
  ['Bool', is(boolValues)],
  ['BinaryEquals', is(binaryValues)],
  ['IpAddress', is(ipValues)],
  ['NotIpAddress', isNot(ipValues)],
  ['ArnEquals', is(arnValues)],
  ['ArnLike', is(arnValues)],
  ['ArnNotEquals', isNot(arnValues)],
  ['ArnNotLike', isNot(arnValues)],
])

export type Quantifier = 'ForAllValues' | 'ForAnyValue'

export interface OperatorName {
  readonly quantifier: Quantifier | undefined
  /** `Null` or a name in the table. */
  readonly base: string
  readonly ifExists: boolean
}

/** Takes an operator's name apart. Throws PolicyError when there is none of that name. */
export function parseOperator(name: string): OperatorName {
  const parts = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(name)
  const base = parts?.[2] ?? ''
  const quantifier = parts?.[1] as Quantifier | undefined
  const ifExists = parts?.[3] !== undefined
  const isNull = base === 'Null' && !ifExists && quantifier === undefined
  if (!isNull && !operators.has(base)) throw new PolicyError(`Invalid Condition type : ${name}`)
  return { quantifier, base, ifExists }
}

/** `service:name`; claims of web identities as `host:port/path:claim`. */
const keyName = /^[A-Za-z0-9][\w.~%/:-]{0,300}:[\x20-\x7e\u00a1-\uffff]{1,512}$/

function compileNull(key: string, values: readonly string[]): Condition {
  const wanted = values.map((text) => text.toLowerCase())
  if (wanted.some((text) => text !== 'true' && text !== 'false'))
    throw new PolicyError('Invalid policy syntax.')
  return {
    keys: [key],
    holds: (keys) => wanted.includes(String((keys.get(key)?.length ?? 0) === 0)),
  }
}

/** Compiles one condition; `variables`: the policy's version knows them. Throws PolicyError. */
export function compileCondition(element: ConditionElement, variables: boolean): Condition {
  const { quantifier, base, ifExists } = parseOperator(element.operator)
  if (!keyName.test(element.key)) {
    throw new PolicyError(`Policy has an invalid condition key - ${element.key}`)
  }
  const key = element.key.toLowerCase()
  const operator = operators.get(base)
  if (operator === undefined) return compileNull(key, element.values)
  const values = operator.compile(element.values, variables)
  const { negated } = operator
  const one = (value: string, keys: ContextKeys): boolean => values.matches(value, keys) !== negated
  const holds = (keys: ContextKeys): boolean => {
    const found = keys.get(key)
    if (found === undefined || found.length === 0) {
      if (quantifier !== undefined) return quantifier === 'ForAllValues'
      return ifExists || negated
    }
    if (quantifier === 'ForAllValues') return found.every((value) => one(value, keys))
    if (quantifier === 'ForAnyValue') return found.some((value) => one(value, keys))
    return negated ? found.every((value) => one(value, keys)) : found.some((value) => one(value, keys))
  }
  return { keys: [key, ...values.variables], holds }
}
