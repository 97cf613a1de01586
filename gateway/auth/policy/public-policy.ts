/**
 * Whether a bucket policy is public: whether it lets in anybody who is not fixed by it.
 *
 * A statement that allows everybody something is public unless a condition limits it to fixed values of certain keys, or
 * to address ranges that are not too wide.
 * Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", section "The meaning of public".
 */
import { parseOperator } from './conditions.ts'
import type { ConditionElement, PolicyDocument, StatementElement } from './document.ts'
import { namesEverybody } from './principal.ts'

/** Keys whose fixed values name somebody, in lower case. */
const fixingKeys = new Set([
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceowner',
  'aws:sourceaccount',
  'aws:sourceorgid',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:principalorgid',
  'aws:userid',
  's3:x-amz-server-side-encryption-aws-kms-key-id',
  's3:dataaccesspointarn',
  's3:dataaccesspointaccount',
])

const equalities = new Set(['StringEquals', 'StringEqualsIgnoreCase', 'StringLike', 'ArnEquals', 'ArnLike'])

/** Shortest prefixes that are not public, as AWS draws the line. */
const prefixBitsMin = { ipv4: 8, ipv6: 32 } as const

function isNarrow(range: string): boolean {
  const [address = '', prefix] = range.split('/')
  if (prefix === undefined) return true
  return Number(prefix) >= (address.includes(':') ? prefixBitsMin.ipv6 : prefixBitsMin.ipv4)
}

function isFixed(value: string): boolean {
  return !/[*?]/.test(value) && !value.includes('${')
}

function limits(condition: ConditionElement): boolean {
  const { base, ifExists, quantifier } = parseOperator(condition.operator)
  // Absent keys pass: nobody is fixed.
  if (ifExists || quantifier === 'ForAllValues') return false
  const key = condition.key.toLowerCase()
  if (base === 'IpAddress' && key === 'aws:sourceip') return condition.values.every(isNarrow)
  return equalities.has(base) && fixingKeys.has(key) && condition.values.every(isFixed)
}

function isPublicStatement(statement: StatementElement): boolean {
  if (statement.effect !== 'Allow') return false
  if (statement.principal === undefined || !namesEverybody(statement.principal)) return false
  return !statement.conditions.some(limits)
}

export function isPublicPolicy(document: PolicyDocument): boolean {
  return document.statements.some(isPublicStatement)
}
