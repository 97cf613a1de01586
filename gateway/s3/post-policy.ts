/**
 * The policy of a POST form: what a signer allows whoever holds the form to upload. Pure.
 *
 * Invariant: what passes was covered: every field of the form is named by a condition, every condition holds, the
 * policy has not expired. The signature over the policy is verified elsewhere, before the policy is parsed.
 * Source: AWS, "POST Policy" (Authenticating Requests: Browser-Based Uploads Using POST).
 */
import { isUtf8 } from 'node:buffer'
import { S3Error } from './errors.ts'

type Condition =
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | ({ readonly kind: 'content-length-range' } & BytesRange)

/** Both ends included. */
export interface BytesRange {
  readonly bytesMin: number
  readonly bytesMax: number
}

export interface PostPolicy {
  readonly expiresMs: number
  readonly conditions: readonly Condition[]
}

function invalid(reason: string, cause?: unknown): S3Error {
  return new S3Error(
    'InvalidPolicyDocument',
    `Invalid Policy: ${reason}`,
    cause === undefined ? {} : { cause },
  )
}

/** Base64 of JSON, with the two liberties that AWS takes: `\$`, and a comma behind the last element. Throws InvalidPolicyDocument. */
export function parsePostPolicy(base64: string): PostPolicy {
  const bytes = Buffer.from(base64, 'base64')
  if (!isUtf8(bytes)) throw invalid('Invalid JSON.')
  const strict = bytes
    .toString('utf8')
    .replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)|,(?=\s*[\]}])/gs, (token) =>
      token === ',' ? '' : token.replace(/\\(.)/gs, (pair, char: string) => (char === '$' ? '$' : pair)),
    )
  let policy: unknown
  try {
    policy = JSON.parse(strict)
  } catch (error) {
    throw invalid('Invalid JSON.', error)
  }
  if (!isRecord(policy)) throw invalid('Invalid JSON.')
  const { expiration, conditions } = policy
  if (expiration === undefined) throw invalid("Policy missing 'expiration'.")
  if (conditions === undefined) throw invalid("Policy missing 'conditions'.")
  if (!Array.isArray(conditions)) throw invalid("Invalid 'conditions' value: must be a List.")
  return { expiresMs: parseExpiration(expiration), conditions: conditions.map(parseCondition) }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseExpiration(value: unknown): number {
  const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/
  const ms = typeof value === 'string' && shape.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`Invalid 'expiration' value: '${String(value).slice(0, 64)}'`)
  return ms
}

function parseCondition(value: unknown): Condition {
  if (Array.isArray(value)) return parseListed(value)
  if (!isRecord(value)) throw invalid('Invalid Condition: must be a List or an Object.')
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) {
    throw invalid('Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.')
  }
  return { kind: 'eq', field: entry[0].toLowerCase(), value: textOf(entry[1]) }
}

function parseListed(list: readonly unknown[]): Condition {
  const [name, first, second] = list
  const kind = typeof name === 'string' ? name.toLowerCase() : ''
  if (list.length !== 3) throw invalid(`Invalid Condition: wrong number of arguments: ${list.length}.`)
  switch (kind) {
    case 'content-length-range':
      return { kind, bytesMin: bytesOf(first), bytesMax: bytesOf(second) }
    case 'eq':
    case 'starts-with': {
      const field = textOf(first)
      if (!field.startsWith('$')) throw invalid(`Invalid Condition: '${field}' does not begin with '$'.`)
      return { kind, field: field.slice(1).toLowerCase(), value: textOf(second) }
    }
    default:
      throw invalid(`Invalid Condition: unknown operation '${kind}'.`)
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw invalid('Invalid Condition: a value is not a String.')
}

function bytesOf(value: unknown): number {
  const bytes = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw invalid('Invalid content-length-range: a limit is no size.')
}

/**
 * Fields that no condition need name. Beyond AWS's list: digests of the file, since all they can do is to refuse the
 * upload (ceph's conformance suite posts one that its policy does not name).
 */
function needsNoCondition(field: string): boolean {
  return (
    exempt.has(field) ||
    field.startsWith('x-ignore-') ||
    (field.startsWith('x-amz-checksum-') && field !== 'x-amz-checksum-algorithm')
  )
}
const exempt: ReadonlySet<string> = new Set([
  'awsaccesskeyid',
  'content-md5',
  'file',
  'policy',
  'signature',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-signature',
])

/**
 * `fields`: values by lower-case name, `${filename}` expanded; `bucket` is the bucket that is written to. Returns how
 * many bytes the file may have. Throws AccessDenied.
 */
export function checkPostPolicy(
  policy: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): BytesRange {
  if (nowMs >= policy.expiresMs) throw denied('Policy expired.')
  const covered = new Set<string>()
  let range: BytesRange = { bytesMin: 0, bytesMax: Number.MAX_SAFE_INTEGER }
  for (const condition of policy.conditions) {
    if (condition.kind === 'content-length-range') {
      range = {
        bytesMin: Math.max(range.bytesMin, condition.bytesMin),
        bytesMax: Math.min(range.bytesMax, condition.bytesMax),
      }
      continue
    }
    covered.add(condition.field)
    if (!holds(condition, fields.get(condition.field) ?? '')) {
      const { kind, field, value } = condition
      throw denied(`Policy Condition failed: ${JSON.stringify([kind, `$${field}`, value])}`)
    }
  }
  const extra = [...fields.keys()].filter((field) => !covered.has(field) && !needsNoCondition(field))
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(', ')}`)
  return range
}

function holds(condition: Exclude<Condition, BytesRange>, value: string): boolean {
  if (condition.kind === 'eq') return value === condition.value
  // Content-Type may list several: each has to match.
  if (condition.field !== 'content-type') return value.startsWith(condition.value)
  return value.split(',').every((type) => type.trimStart().startsWith(condition.value))
}

function denied(reason: string): S3Error {
  return new S3Error('AccessDenied', `Invalid according to Policy: ${reason}`)
}
