/**
 * Bucket policies as S3 takes them: beyond the language, what they are about must be the bucket and S3.
 * Source: S3 API Reference, "PutBucketPolicy"; S3 User Guide, "Bucket policies".
 */
import { compilePolicy, type Policy } from '../auth/policy/compile.ts'
import { PolicyError, type StatementElement } from '../auth/policy/document.ts'
import type { BucketContext } from '../operation.ts'
import { S3Error } from './errors.ts'

/** Whether a resource can name the bucket or something in it; `${...}` is taken for anything. */
function canName(resource: string, bucketName: string): boolean {
  if (resource === '*') return true
  const name = /^arn:[^:]*:(?:s3|\*):[^:]*:[^:]*:(.*)$/s.exec(resource)?.[1]
  if (name === undefined) return false
  const wild = name.search(/[*?]|\$\{/)
  const literal = wild < 0 ? name : name.slice(0, wild)
  if (literal === bucketName || literal.startsWith(`${bucketName}/`)) return true
  return wild >= 0 && bucketName.startsWith(literal)
}

function checkStatement(statement: StatementElement, bucketName: string): void {
  if (!statement.resources.every((resource) => canName(resource, bucketName))) {
    throw new PolicyError('Policy has invalid resource')
  }
  if (!statement.actions.every((action) => action === '*' || /^s3:/i.test(action))) {
    throw new PolicyError('Policy has invalid action')
  }
}

/** Checks a policy for this bucket. Throws MalformedPolicy. */
export function checkBucketPolicy(text: string, bucketName: string): Policy {
  try {
    const policy = compilePolicy(text, 'resource')
    for (const statement of policy.document.statements) checkStatement(statement, bucketName)
    return policy
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new S3Error('MalformedPolicy', error.message, { cause: error })
  }
}

/** AWS: whoever is of another account may not handle a bucket's policy, whatever the policy says. Throws MethodNotAllowed. */
export function requireOwnAccount({ identity, bucket }: BucketContext): void {
  if (identity.accountId !== bucket.ownerId) throw new S3Error('MethodNotAllowed')
}
