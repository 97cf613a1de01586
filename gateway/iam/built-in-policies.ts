/**
 * Managed policies that exist in every account: those of AWS that speak of what we have, by AWS's names, so that
 * scripts and habits work. What they allow is what their AWS pages say of S3, IAM and STS.
 * Source: AWS Managed Policy Reference Guide.
 */
import { builtInPrefix } from '../../node/core/access-types.ts'

function allow(...actions: readonly string[]): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }],
  })
}

const policies: Readonly<Record<string, string>> = {
  AdministratorAccess: allow('*'),
  AmazonS3FullAccess: allow('s3:*'),
  AmazonS3ReadOnlyAccess: allow('s3:Get*', 's3:List*', 's3:Describe*'),
  IAMFullAccess: allow('iam:*'),
  IAMReadOnlyAccess: allow('iam:Get*', 'iam:List*'),
}

/** Text of the policy with this ARN. */
export function builtInPolicy(arn: string): string | undefined {
  if (!arn.startsWith(builtInPrefix)) return undefined
  const name = arn.slice(builtInPrefix.length)
  return Object.hasOwn(policies, name) ? policies[name] : undefined
}

/** Names of all, in order. */
export const builtInPolicyNames: readonly string[] = Object.keys(policies).sort()
