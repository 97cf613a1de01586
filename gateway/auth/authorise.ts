/**
 * Who may do what: one function, so that policies can take its place.
 * The rule now: a bucket's owner may do everything in it, nobody else anything; every user may create and list his own.
 * Anonymous requests may do nothing.
 */
import type { Bucket } from '../../node/core/registry-types.ts'
import { S3Error } from '../s3/errors.ts'
import type { Identity } from './identity.ts'

/** `action`: IAM name, for example `s3:GetObject`. `bucket` undefined: the action is on the service. Throws AccessDenied. */
export function authorise(request: {
  readonly identity: Identity
  readonly action: string
  readonly bucket: Bucket | undefined
}): void {
  if (request.identity.kind === 'anonymous') throw new S3Error('AccessDenied')
  if (request.bucket === undefined || request.bucket.ownerId === request.identity.accountId) return
  throw new S3Error('AccessDenied')
}
