/**
 * Who vouches for a POST form: the fields of a signature over its policy. Pure but for HMAC.
 *
 * A form is signed by Signature Version 4; or, only where the gateway is configured so, in the older way (HMAC-SHA1),
 * for clients that have not moved (ops/decisions/0195). Signatures are compared in constant time.
 * Source: AWS, "Calculating a signature" (Browser-Based Uploads Using POST), "Signing and authenticating REST requests".
 */
import { createHmac } from 'node:crypto'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import { missingField } from '../s3/post-form.ts'
import { signaturesMatch } from './chunked.ts'
import { algorithm, type CredentialScope, parseCredential, sign } from './sigv4.ts'

interface SignedPolicy {
  readonly accessKeyId: string
  /** Base64, as signed. */
  readonly policy: string
  readonly signature: string
}

export type FormClaim =
  | { readonly kind: 'none' }
  | (SignedPolicy & { readonly kind: 'sigv4'; readonly scope: CredentialScope })
  | (SignedPolicy & { readonly kind: 'legacy' })

/** Any of these says that the form is signed. */
const claiming = [
  'policy',
  'signature',
  'awsaccesskeyid',
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-algorithm',
]

/**
 * What the fields claim; a form that claims nothing is anonymous. Throws InvalidArgument for a claim that lacks a field
 * or is made for another region, InvalidRequest for the older way unless it is allowed.
 */
export function formClaim(
  fields: ReadonlyMap<string, string>,
  { region, legacy }: { readonly region: string; readonly legacy: boolean },
): FormClaim {
  if (!claiming.some((name) => fields.has(name))) return { kind: 'none' }
  const required = (name: string, shown = name): string => {
    const value = fields.get(name)
    if (value === undefined || value === '') throw missingField(shown)
    return value
  }
  const policy = required('policy')
  if (fields.has('awsaccesskeyid') || fields.has('signature')) {
    if (!legacy) {
      throw new S3Error(
        'InvalidRequest',
        'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
      )
    }
    const accessKeyId = required('awsaccesskeyid', 'AWSAccessKeyId')
    return { kind: 'legacy', accessKeyId, policy, signature: required('signature') }
  }
  const signature = required('x-amz-signature', 'X-Amz-Signature')
  const named = required('x-amz-algorithm', 'X-Amz-Algorithm')
  if (named !== algorithm) {
    throw invalidArgument('X-Amz-Algorithm', named, `X-Amz-Algorithm only supports "${algorithm}"`)
  }
  const scope = checkedScope(required('x-amz-credential', 'X-Amz-Credential'), region)
  const date = required('x-amz-date', 'X-Amz-Date')
  if (!/^\d{8}T\d{6}Z$/.test(date) || !date.startsWith(scope.date)) {
    throw invalidArgument('X-Amz-Date', date, 'X-Amz-Date is not the date of the credential.')
  }
  return { kind: 'sigv4', accessKeyId: scope.accessKeyId, policy, signature, scope }
}

function checkedScope(text: string, region: string): CredentialScope {
  const scope = parseCredential(text)
  if (scope === undefined || scope.service !== 's3') {
    throw invalidArgument(
      'X-Amz-Credential',
      text,
      'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request".',
    )
  }
  if (scope.region !== region) {
    throw invalidArgument(
      'X-Amz-Credential',
      text,
      `Error parsing the X-Amz-Credential parameter; the region '${scope.region}' is wrong; expecting '${region}'`,
    )
  }
  return scope
}

/** `signingKey`: of the scope, for `sigv4`. Throws SignatureDoesNotMatch. */
export function verifyForm(
  claim: Exclude<FormClaim, { kind: 'none' }>,
  secretAccessKey: string,
  signingKey: (scope: CredentialScope) => Buffer,
): void {
  const computed =
    claim.kind === 'sigv4'
      ? sign(signingKey(claim.scope), claim.policy)
      : createHmac('sha1', secretAccessKey).update(claim.policy).digest('base64')
  if (signaturesMatch(claim.signature, computed)) return
  throw new S3Error('SignatureDoesNotMatch', undefined, {
    details: {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: claim.policy,
      SignatureProvided: claim.signature,
    },
  })
}
