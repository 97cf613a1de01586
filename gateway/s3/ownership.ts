/**
 * Object ownership: its document, who owns what is written, and whether lists may come with it.
 * Source: S3 User Guide, "Controlling ownership of objects and disabling ACLs for your bucket".
 */
import type { Acl, BucketConfiguration, ObjectOwnership } from '../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import type { AccountSource } from '../accounts.ts'
import type { Identity } from '../auth/identity.ts'
import type { BucketDefaults } from '../bucket-defaults.ts'
import type { S3Request } from '../operation.ts'
import {
  type AclRequest,
  decodeAccessControlPolicy,
  decodeAclHeaders,
  isPrivateAcl,
  isPublicAcl,
  type NamedGrant,
  resolveAcl,
} from './acl.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { blockEverything, checkPublicAcl } from './public-access.ts'
import {
  checkChildren,
  childrenOf,
  document,
  element,
  requiredText,
  word,
  wrap,
  type XmlNode,
} from './xml.ts'

const ownerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const

/** AWS's canonical id of whoever writes without signing: owns what anonymous requests put where writers own. */
export const anonymousAccountId = '65a011a29cdf8ec533ec3d1ccaae921c'

/** The ownership in force; without a setting the writer owns, as with AWS. */
export function ownershipOf(bucket: Bucket): ObjectOwnership {
  return bucket.configuration?.objectOwnership ?? 'ObjectWriter'
}

/** Whether the access control lists of a bucket and its objects count. */
export function aclsCount(bucket: Bucket): boolean {
  return ownershipOf(bucket) !== 'BucketOwnerEnforced'
}

/** Throws MalformedXML unless there is exactly one rule. */
export function decodeOwnershipControls(root: XmlNode): ObjectOwnership {
  checkChildren(root, ['Rule'])
  const [rule, ...more] = childrenOf(root, 'Rule')
  if (rule === undefined || more.length > 0) throw new S3Error('MalformedXML')
  return word(requiredText(rule, 'ObjectOwnership').trim(), ownerships)
}

export function encodeOwnershipControls(ownership: ObjectOwnership): string {
  return document('OwnershipControls', wrap('Rule', element('ObjectOwnership', ownership)))
}

/** The `x-amz-object-ownership` header of CreateBucket. Throws InvalidArgument. */
export function decodeOwnershipHeader(headers: Headers): ObjectOwnership | undefined {
  const text = headers['x-amz-object-ownership']
  if (text === undefined) return undefined
  const found = ownerships.find((name) => name === text)
  if (found === undefined)
    throw invalidArgument('x-amz-object-ownership', text, 'Invalid x-amz-object-ownership header')
  return found
}

export function aclNotSupported(): S3Error {
  return new S3Error('AccessControlListNotSupported')
}

function givesAllToBucketOwner(request: AclRequest, bucket: Bucket): boolean {
  if (request.kind === 'canned') return request.name === 'bucket-owner-full-control'
  const [grant, ...more]: readonly NamedGrant[] = request.grants
  return (
    more.length === 0 &&
    grant?.permission === 'FULL_CONTROL' &&
    grant.grantee.by === 'id' &&
    grant.grantee.id === bucket.ownerId
  )
}

/**
 * `private` from the bucket's owner asks for just what he gets. AWS refuses it where lists are off, and so do we where
 * somebody turned them off; in a bucket that is so by default only it is let pass, since clients that are older than
 * that default (rclone 1.60, s3fs) send it with every upload, and an upload must not fail for that (decision 0191).
 */
function isOwnersOwn(
  request: AclRequest,
  { bucket, identity }: { readonly bucket: Bucket; readonly identity: Identity },
): boolean {
  return (
    bucket.configuration?.ownershipImplied === true &&
    request.kind === 'canned' &&
    request.name === 'private' &&
    accountIdOf(identity) === bucket.ownerId
  )
}

/** The account that identity and ACL mean: anonymous writers have AWS's id. */
export function accountIdOf(identity: Identity): string {
  return identity.kind === 'anonymous' ? anonymousAccountId : identity.accountId
}

/** Who owns a new object, and its list; without one its owner has everything. */
export interface ObjectOwner {
  readonly ownerId: string
  readonly attributes: { readonly acl?: Acl }
}

/**
 * Owner and list of an object that a request with these headers writes. Throws AccessControlListNotSupported,
 * AccessDenied (blocked public list), and as decodeAclHeaders and resolveAcl.
 */
export async function newObjectOwner(
  headers: Headers,
  context: { readonly bucket: Bucket; readonly identity: Identity; readonly accounts: AccountSource },
): Promise<ObjectOwner> {
  const { bucket, identity, accounts } = context
  const request = decodeAclHeaders(headers)
  const ownership = ownershipOf(bucket)
  const toBucketOwner = request !== undefined && givesAllToBucketOwner(request, bucket)
  if (ownership === 'BucketOwnerEnforced') {
    if (request !== undefined && !toBucketOwner && !isOwnersOwn(request, context)) throw aclNotSupported()
    return { ownerId: bucket.ownerId, attributes: {} }
  }
  const preferred = ownership === 'BucketOwnerPreferred' && toBucketOwner
  const ownerId = preferred ? bucket.ownerId : accountIdOf(identity)
  if (request === undefined) return { ownerId, attributes: {} }
  const acl = await resolveAcl(request, { ownerId, bucketOwnerId: bucket.ownerId }, accounts)
  checkPublicAcl(acl, bucket)
  return { ownerId, attributes: isPrivateAcl(acl, ownerId) ? {} : { acl } }
}

/** Whether a list gives anybody but its owner anything. */
export function grantsOthers(acl: Acl | undefined, ownerId: string): boolean {
  return acl?.grants.some(({ grantee }) => grantee.kind !== 'user' || grantee.id !== ownerId) ?? false
}

/** The list that PutBucketAcl or PutObjectAcl brings, as written. */
export interface NewAcl {
  readonly request: AclRequest
  /** As the document names it; undefined: it names none. */
  readonly ownerId: string | undefined
}

/** Headers or document, not both. Throws MalformedACLError, UnexpectedContent, MissingSecurityHeader, InvalidArgument. */
export function decodeNewAcl(request: S3Request): NewAcl & { readonly key: string } {
  const { key } = request
  const inHeaders = decodeAclHeaders(request.headers)
  if (inHeaders !== undefined) {
    if (request.hasDocument) throw new S3Error('UnexpectedContent')
    return { key, request: inHeaders, ownerId: undefined }
  }
  if (!request.hasDocument) throw new S3Error('MissingSecurityHeader')
  const { ownerId, grants } = decodeAccessControlPolicy(request.document('AccessControlPolicy'))
  return { key, request: { kind: 'grants', grants }, ownerId }
}

/**
 * The list for a bucket or object of this owner; undefined: what is in force anyway, for where lists are off AWS takes
 * the bucket owner's full control "or an equivalent form of this ACL expressed in XML". Throws AccessControlListNotSupported, AccessDenied (another owner,
 * blocked public list), and as resolveAcl.
 */
export async function resolveNewAcl(
  { request, ownerId: named }: NewAcl,
  ownerId: string,
  { bucket, accounts }: { readonly bucket: Bucket; readonly accounts: AccountSource },
): Promise<Acl | undefined> {
  if (!aclsCount(bucket)) {
    if (givesAllToBucketOwner(request, bucket)) return undefined
    throw aclNotSupported()
  }
  if (named !== undefined && named !== ownerId) throw new S3Error('AccessDenied')
  const acl = await resolveAcl(request, { ownerId, bucketOwnerId: bucket.ownerId }, accounts)
  checkPublicAcl(acl, bucket)
  return acl
}

/**
 * What a new bucket is told at its creation: ownership, list, block. Throws InvalidArgument,
 * InvalidBucketAclWithObjectOwnership, InvalidBucketAclWithBlockPublicAccessError, and as resolveAcl.
 */
export async function newBucketAccess(
  headers: Headers,
  ownerId: string,
  { bucketDefaults, accounts }: { readonly bucketDefaults: BucketDefaults; readonly accounts: AccountSource },
): Promise<BucketConfiguration> {
  const chosen = decodeOwnershipHeader(headers)
  const objectOwnership = chosen ?? bucketDefaults.ownership
  const request = decodeAclHeaders(headers)
  const block = bucketDefaults.publicAccessBlock ? { publicAccessBlock: blockEverything } : {}
  const implied = chosen === undefined ? ({ ownershipImplied: true } as const) : {}
  const ownership = objectOwnership === undefined ? {} : { objectOwnership, ...implied }
  if (request === undefined) return { ...ownership, ...block }
  const acl = await resolveAcl(request, { ownerId, bucketOwnerId: ownerId }, accounts)
  if (objectOwnership === 'BucketOwnerEnforced') {
    if (grantsOthers(acl, ownerId)) throw new S3Error('InvalidBucketAclWithObjectOwnership')
    return { ...ownership, ...block }
  }
  if (bucketDefaults.publicAccessBlock && isPublicAcl(acl)) {
    throw new S3Error('InvalidBucketAclWithBlockPublicAccessError')
  }
  return { ...ownership, ...block, ...(isPrivateAcl(acl, ownerId) ? {} : { acl }) }
}
