/**
 * Policy documents as IAM takes them: well-formed, and of the kind that belongs there. Sizes are the registry's quotas.
 */
import { compilePolicy } from '../auth/policy/compile.ts'
import { PolicyError, type PolicyKind } from '../auth/policy/document.ts'
import { QueryError } from './query-error.ts'
import type { QueryForm } from './query-form.ts'

/** Throws QueryError MalformedPolicyDocument, ValidationError (absent). */
export function policyText(form: QueryForm, parameter: string, kind: PolicyKind): string {
  const text = form.required(parameter)
  checkPolicy(text, kind)
  return text
}

/** Throws QueryError MalformedPolicyDocument. */
export function checkPolicy(text: string, kind: PolicyKind): void {
  try {
    const { document } = compilePolicy(text, kind)
    const sids = document.statements.flatMap(({ sid }) => (sid === undefined || sid === '' ? [] : [sid]))
    if (new Set(sids).size !== sids.length) {
      throw new PolicyError('Statement IDs (SID) in a single policy must be unique.')
    }
    if (kind === 'trust') checkTrust(text)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new QueryError('MalformedPolicyDocument', error.message, { cause: error })
  }
}

/** AWS: a trust policy speaks of sts: actions only. */
function checkTrust(text: string): void {
  const { document } = compilePolicy(text, 'trust')
  for (const { actions } of document.statements) {
    const foreign = actions.find((action) => action !== '*' && !action.toLowerCase().startsWith('sts:'))
    if (foreign !== undefined) {
      throw new PolicyError('AssumeRole policy may only specify STS AssumeRole actions.')
    }
  }
}
