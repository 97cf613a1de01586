/**
 * What every action that begins a session has in common: its duration, its policies and tags, its credentials.
 */
import type { AccessTag } from '../../node/core/access-types.ts'
import type { Session } from '../auth/credential-source.ts'
import { principalTagKey } from '../auth/identity.ts'
import { iamDate } from '../iam/iam-xml.ts'
import { checkPolicy } from '../iam/policy-text.ts'
import { type ActionContext, newId, newSecret, type RequestContextKeys } from '../iam/query-action.ts'
import { invalidParameter, QueryError } from '../iam/query-error.ts'
import type { QueryForm } from '../iam/query-form.ts'
import { element, wrap } from '../s3/xml.ts'
import { stsLimits } from './sts-limits.ts'

export interface SessionRequest {
  readonly roleArn: string
  readonly sessionName: string
  readonly durationSeconds: number | undefined
  readonly policy: string | undefined
  readonly policyArns: readonly string[]
}

/** Parameters of both ways to assume a role. Throws QueryError. */
export function decodeSession(form: QueryForm): SessionRequest {
  return {
    roleArn: form.required('RoleArn'),
    sessionName: form.requiredMatching('RoleSessionName', /^[\w+=,.@-]{2,64}$/),
    durationSeconds: form.integer('DurationSeconds', {
      min: stsLimits.durationSecondsMin,
      max: stsLimits.tokenSecondsMax,
    }),
    policy: sessionPolicy(form),
    policyArns: sessionPolicyArns(form),
  }
}

function sessionPolicy(form: QueryForm): string | undefined {
  const text = form.optional('Policy')
  if (text === undefined || text === '') return undefined
  if (text.length > stsLimits.sessionPolicyCharactersMax) {
    throw new QueryError('PackedPolicyTooLarge', 'The session policy is too large.')
  }
  checkPolicy(text, 'identity')
  return text
}

function sessionPolicyArns(form: QueryForm): readonly string[] {
  const arns = form.fields('PolicyArns', 'arn')
  const wrong = arns.find((arn) => !/^arn:aws:iam::[^:]+:policy\/[\x21-\x7e]{1,640}$/.test(arn))
  if (wrong !== undefined) throw invalidParameter('PolicyArns', wrong, 'the form of an ARN of a policy')
  if (arns.length > stsLimits.policyArnsMax) {
    throw invalidParameter('PolicyArns', String(arns.length), `at most ${stsLimits.policyArnsMax} members`)
  }
  return arns
}

/** AWS: managed session policies are of the role's account, or of AWS. Throws ValidationError. */
export function checkPolicyAccount(arns: readonly string[], accountId: string): void {
  const foreign = arns.find((arn) => ![accountId, 'aws'].includes(arn.split(':')[4] ?? ''))
  if (foreign !== undefined)
    throw invalidParameter('PolicyArns', foreign, "the account of the role's policies")
}

/** How long a session of a role lives. Throws ValidationError when more is asked for than the role allows. */
export function roleSeconds(
  asked: number | undefined,
  { maxSessionSeconds, chained }: { maxSessionSeconds: number; chained: boolean },
): number {
  const max = chained ? Math.min(maxSessionSeconds, stsLimits.chainedSecondsMax) : maxSessionSeconds
  if (asked === undefined) return Math.min(stsLimits.roleSecondsDefault, max)
  if (asked <= max) return asked
  throw new QueryError(
    'ValidationError',
    chained && asked <= maxSessionSeconds
      ? 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.'
      : 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  )
}

/** Context keys of tags that a session is asked to have. */
export function requestTagKeys(tags: readonly AccessTag[]): RequestContextKeys {
  if (tags.length === 0) return {}
  return {
    'aws:tagkeys': tags.map(({ key }) => key),
    ...Object.fromEntries(tags.map(({ key, value }) => [`aws:requesttag/${key.toLowerCase()}`, [value]])),
  }
}

/** The context keys that a session's tags become. */
export function sessionTagKeys(tags: readonly AccessTag[]): RequestContextKeys {
  return Object.fromEntries(tags.map(({ key, value }) => [principalTagKey(key), [value]]))
}

/** Seals fresh credentials. Returns the markup of `Credentials`, and how full the token is in percent. */
export async function grant(
  context: ActionContext,
  seconds: number,
  session: Omit<Session, 'accessKeyId' | 'secretAccessKey' | 'issuedMs' | 'expiresMs'>,
): Promise<{ readonly credentials: string; readonly packedPercent: number }> {
  const issuedMs = context.nowMs
  const expiresMs = issuedMs + seconds * 1000
  const accessKeyId = newId('ASIA')
  const secretAccessKey = newSecret()
  const token = await context.sessions.seal({ accessKeyId, secretAccessKey, issuedMs, expiresMs, ...session })
  if (token.length > stsLimits.tokenBytesMax) {
    throw new QueryError('PackedPolicyTooLarge', 'Policies and tags of the session are too large together.')
  }
  const credentials = wrap(
    'Credentials',
    element('AccessKeyId', accessKeyId),
    element('SecretAccessKey', secretAccessKey),
    element('SessionToken', token),
    element('Expiration', iamDate(expiresMs)),
  )
  return { credentials, packedPercent: Math.ceil((token.length / stsLimits.tokenBytesMax) * 100) }
}
