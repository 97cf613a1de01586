/**
 * Who may do what: the one place where policies, access control lists, ownership and public access blocks meet.
 *
 * Invariants: nothing is allowed that no policy, list or account allows; an explicit deny wins, but for the way back of
 * a bucket's owner to his bucket policy. A decision that needs the stored object (its owner, list or tags) says so and
 * is repeated with it; until then it is no permission.
 * Source: S3 User Guide, "How Amazon S3 authorizes a request"; "Mapping of ACL permissions and access policy
 * permissions".
 */
import type { Acl, AclPermission, Tags } from '../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { isPublicGrantee } from '../s3/acl.ts'
import { S3Error } from '../s3/errors.ts'
import { accountIdOf, aclsCount } from '../s3/ownership.ts'
import { publicAccessOf } from '../s3/public-access.ts'
import type { Identity } from './identity.ts'
import { identityPolicySet, principalOf } from './identity-side.ts'
import type { Policy } from './policy/compile.ts'
import { type Decision, decide, type PolicySet } from './policy/decision.ts'
import type { PolicyCache } from './policy/policy-cache.ts'
import { type PolicyPrincipal, type PrincipalMatch, stronger } from './policy/principal.ts'
import { type RequestFacts, RequestKeys } from './request-keys.ts'

/** What a decision is about. `key` '': the bucket itself. */
export interface Subject {
  readonly bucket: Bucket
  readonly key: string
}

/** What decisions read of a stored object. */
export interface StoredFacts {
  readonly ownerId: string
  readonly acl?: Acl | undefined
  readonly tags?: Tags | undefined
}

export interface CheckOptions {
  /** The object as found; 'absent': there is none. Undefined: not looked up. */
  readonly object?: StoredFacts | 'absent' | undefined
  /** The action is about an object that this request writes: whoever may write by the bucket's list may do it, too. */
  readonly asWriter?: boolean
  /** Context keys from the document in the body. */
  readonly documentKeys?: Readonly<Record<string, readonly string[]>> | undefined
  /** Instead of the request's own prefix. */
  readonly prefix?: string
}

/** 'object': cannot be decided without the stored object. */
export type Verdict = 'allow' | 'deny' | 'object'

interface ListRight {
  readonly on: 'bucket' | 'object'
  readonly permission: AclPermission
}

/** What lists grant, as AWS maps it; WRITE includes what a writer needs for his uploads. */
const listRights: Readonly<Record<string, ListRight>> = {
  's3:ListBucket': { on: 'bucket', permission: 'READ' },
  's3:ListBucketVersions': { on: 'bucket', permission: 'READ' },
  's3:ListBucketMultipartUploads': { on: 'bucket', permission: 'READ' },
  's3:PutObject': { on: 'bucket', permission: 'WRITE' },
  's3:DeleteObject': { on: 'bucket', permission: 'WRITE' },
  's3:AbortMultipartUpload': { on: 'bucket', permission: 'WRITE' },
  's3:ListMultipartUploadParts': { on: 'bucket', permission: 'WRITE' },
  's3:GetBucketAcl': { on: 'bucket', permission: 'READ_ACP' },
  's3:PutBucketAcl': { on: 'bucket', permission: 'WRITE_ACP' },
  's3:GetObject': { on: 'object', permission: 'READ' },
  's3:GetObjectVersion': { on: 'object', permission: 'READ' },
  's3:GetObjectAcl': { on: 'object', permission: 'READ_ACP' },
  's3:GetObjectVersionAcl': { on: 'object', permission: 'READ_ACP' },
  's3:PutObjectAcl': { on: 'object', permission: 'WRITE_ACP' },
  's3:PutObjectVersionAcl': { on: 'object', permission: 'WRITE_ACP' },
}

/** AWS: the owner's root may always reach these, so that nobody locks himself out. */
const ownerAlways = new Set(['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'])

/** Actions on keys for which there need not be an object yet. */
const keyActions = new Set(['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'])

export function accessDenied(): S3Error {
  return new S3Error('AccessDenied')
}

export function bucketArn(name: string): string {
  return `arn:aws:s3:::${name}`
}

/** How a list names an identity for a permission. */
function listGrant(
  acl: Acl,
  permission: AclPermission,
  { identity, ignorePublic }: { identity: Identity; ignorePublic: boolean },
): PrincipalMatch {
  let match: PrincipalMatch = 'none'
  for (const grant of acl.grants) {
    if (grant.permission !== permission && grant.permission !== 'FULL_CONTROL') continue
    const { grantee } = grant
    if (ignorePublic && isPublicGrantee(grantee)) continue
    if (grantee.kind === 'all-users') match = stronger(match, 'anyone')
    else if (grantee.kind === 'authenticated-users') {
      if (identity.kind !== 'anonymous') match = stronger(match, 'account')
    } else if (grantee.kind === 'user' && grantee.id === accountIdOf(identity)) {
      match = stronger(match, identity.kind === 'anonymous' ? 'anyone' : 'account')
    }
  }
  return match
}

/** The list of a resource; absent: its owner has everything. */
function listOf(acl: Acl | undefined, ownerId: string): Acl {
  return acl ?? { grants: [{ grantee: { kind: 'user', id: ownerId }, permission: 'FULL_CONTROL' }] }
}

/** All decisions about one request. */
export class RequestAccess {
  readonly #facts: RequestFacts
  readonly #cache: PolicyCache
  readonly #principal: PolicyPrincipal
  #identityPolicies: Omit<PolicySet, 'resource'> | undefined

  constructor(facts: RequestFacts, cache: PolicyCache) {
    this.#facts = facts
    this.#cache = cache
    this.#principal = principalOf(facts.identity)
  }

  get identity(): Identity {
    return this.#facts.identity
  }

  /** An action that is about no existing bucket; `resource` as policies write it. Throws AccessDenied. */
  requireService(action: string, resource: string): void {
    const { accountId } = this.#facts.identity
    const keys = new RequestKeys(this.#facts, { action, resourceAccountId: accountId })
    const request = { action, resource, principal: this.#principal, keys }
    if (decide(this.#identitySide(), request, { resourceAccountId: accountId }) !== 'allow')
      throw accessDenied()
  }

  /** Throws AccessDenied; for actions that no stored object decides about. */
  require(action: string, subject: Subject, options: CheckOptions = {}): void {
    if (this.check(action, subject, options) !== 'allow') throw accessDenied()
  }

  /** The account's root, where neither a policy nor a list can say anything else: nearly every request. */
  mayEverything(bucket: Bucket): boolean {
    return this.#isRootOf(bucket) && bucket.configuration?.policy === undefined && !aclsCount(bucket)
  }

  /** Whether the key's absence may be known: AWS answers 403 instead of 404 to those who may not list. */
  mayKnowAbsence({ bucket, key }: Subject): boolean {
    return this.check('s3:ListBucket', { bucket, key: '' }, { prefix: key }) === 'allow'
  }

  check(action: string, subject: Subject, options: CheckOptions = {}): Verdict {
    const { bucket, key } = subject
    const right = options.asWriter ? listRights['s3:PutObject'] : listRights[action]
    const listed = aclsCount(bucket) ? right : undefined
    const ownerMatters = listed?.on === 'object'
    const policyText = bucket.configuration?.policy
    if (policyText === undefined && !ownerMatters && this.#isRootOf(bucket)) return 'allow'
    const policy = policyText === undefined ? undefined : this.#cache.get(policyText, 'resource')
    const { object } = options
    if (object === undefined && key !== '' && !keyActions.has(action) && options.asWriter !== true) {
      if (ownerMatters || this.#readsObject(policy)) return 'object'
    }
    const stored = object === 'absent' ? undefined : object
    const decision = this.#decide(action, subject, { ...options, policy, stored, listed })
    if (object === 'absent') {
      return decision !== 'explicit-deny' && this.mayKnowAbsence(subject) ? 'allow' : 'deny'
    }
    return decision === 'allow' ? 'allow' : 'deny'
  }

  #decide(
    action: string,
    { bucket, key }: Subject,
    options: CheckOptions & {
      readonly policy: Policy | undefined
      readonly stored: StoredFacts | undefined
      readonly listed: ListRight | undefined
    },
  ): Decision {
    const { policy, stored, listed } = options
    const resourceAccountId = bucket.ownerId
    const keys = new RequestKeys(this.#facts, {
      action,
      resourceAccountId,
      existingTags: stored?.tags,
      prefix: options.prefix,
      documentKeys: options.documentKeys,
    })
    const resource = key === '' ? bucketArn(bucket.name) : `${bucketArn(bucket.name)}/${key}`
    const request = { action, resource, principal: this.#principal, keys }
    const denied = policy?.evaluate(request).effect === 'deny'
    const wayBack = this.#isRootOf(bucket) && ownerAlways.has(action)
    if (denied && !wayBack) return 'explicit-deny'
    const foreign = listed?.on === 'object' && stored !== undefined && stored.ownerId !== bucket.ownerId
    const ownerId = foreign ? stored.ownerId : resourceAccountId
    const grant = this.#listGrant(bucket, { stored, listed })
    // A bucket policy grants nothing on objects of others.
    const allowing = denied || foreign || this.#isRestricted(bucket, policy) ? undefined : policy
    return decide({ ...this.#identitySide(), resource: allowing }, request, {
      resourceAccountId: ownerId,
      grant,
    })
  }

  #listGrant(
    bucket: Bucket,
    { stored, listed }: { stored: StoredFacts | undefined; listed: ListRight | undefined },
  ): PrincipalMatch {
    if (listed === undefined) return 'none'
    const options = {
      identity: this.#facts.identity,
      ignorePublic: publicAccessOf(bucket).ignorePublicAcls,
    }
    if (listed.on === 'bucket') {
      return listGrant(listOf(bucket.configuration?.acl, bucket.ownerId), listed.permission, options)
    }
    return stored === undefined
      ? 'none'
      : listGrant(listOf(stored.acl, stored.ownerId), listed.permission, options)
  }

  /** RestrictPublicBuckets: a public policy grants nothing outside the account. */
  #isRestricted(bucket: Bucket, policy: Policy | undefined): boolean {
    if (policy?.isPublic !== true || this.#facts.identity.accountId === bucket.ownerId) return false
    return publicAccessOf(bucket).restrictPublicBuckets
  }

  #isRootOf(bucket: Bucket): boolean {
    const { isRoot, accountId, sessionPolicies } = this.#facts.identity
    return isRoot && accountId === bucket.ownerId && sessionPolicies === undefined
  }

  #readsObject(policy: Policy | undefined): boolean {
    if (policy?.readsObject === true) return true
    const { identity, boundary, session } = this.#identitySide()
    return (
      identity.some((each) => each.readsObject) ||
      boundary?.readsObject === true ||
      (session?.some((each) => each.readsObject) ?? false)
    )
  }

  #identitySide(): Omit<PolicySet, 'resource'> {
    this.#identityPolicies ??= identityPolicySet(this.#facts.identity, this.#cache)
    return this.#identityPolicies
  }
}
