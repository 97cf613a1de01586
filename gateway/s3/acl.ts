/**
 * Access control lists: the AccessControlPolicy document, the canned names, the grant headers, and what a list grants.
 *
 * A list here is checked: its grantees exist and are named by canonical id. Whether lists count at all is the bucket's
 * ownership (ownership.ts) and its public access block (public-access.ts).
 * Source: S3 User Guide, "Access control list (ACL) overview".
 */
import type { Acl, AclPermission, Grantee } from '../../node/core/bucket-configuration.ts'
import { type Account, type AccountSource, accountsNamed } from '../accounts.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { child, childrenOf, childText, document, element, wrap, type XmlNode } from './xml.ts'

export type Grant = Acl['grants'][number]

/** AWS: grants of one list. */
const grantsMax = 100

const permissions: readonly AclPermission[] = ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL']

const groupUris = {
  'all-users': 'http://acs.amazonaws.com/groups/global/AllUsers',
  'authenticated-users': 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
  'log-delivery': 'http://acs.amazonaws.com/groups/s3/LogDelivery',
} as const satisfies Record<Exclude<Grantee['kind'], 'user'>, string>

/** A grantee as a client names him. */
export type NamedGrantee =
  | { readonly by: 'id'; readonly id: string }
  | { readonly by: 'uri'; readonly uri: string }
  | { readonly by: 'email'; readonly email: string }

export interface NamedGrant {
  readonly grantee: NamedGrantee
  readonly permission: AclPermission
}

export type CannedAcl =
  | 'private'
  | 'public-read'
  | 'public-read-write'
  | 'authenticated-read'
  | 'aws-exec-read'
  | 'bucket-owner-read'
  | 'bucket-owner-full-control'
  | 'log-delivery-write'

const cannedNames: ReadonlySet<string> = new Set<CannedAcl>([
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'log-delivery-write',
])

/** What a request says about the list of what it writes; undefined: nothing. */
export type AclRequest =
  | { readonly kind: 'canned'; readonly name: CannedAcl }
  | { readonly kind: 'grants'; readonly grants: readonly NamedGrant[] }

const grantHeaders = permissions.map(
  (permission) =>
    [`x-amz-grant-${permission.toLowerCase().replace('_', '-')}`, permission] as const satisfies readonly [
      string,
      AclPermission,
    ],
)

function headerGrantee(text: string, header: string): NamedGrantee {
  const parts = /^\s*(id|uri|emailAddress)\s*=\s*("?)([^"]*)\2\s*$/i.exec(text)
  const value = parts?.[3] ?? ''
  switch (value === '' ? '' : parts?.[1]?.toLowerCase()) {
    case 'id':
      return { by: 'id', id: value }
    case 'uri':
      return { by: 'uri', uri: value }
    case 'emailaddress':
      return { by: 'email', email: value }
    default:
      throw invalidArgument(header, text, 'Argument format not recognized')
  }
}

/** The list that headers ask for. Throws InvalidArgument, InvalidRequest (canned and grants at once). */
export function decodeAclHeaders(headers: Headers): AclRequest | undefined {
  const grants = grantHeaders.flatMap(([header, permission]) =>
    (headers[header] ?? '')
      .split(',')
      .filter((text) => text.trim() !== '')
      .map((text) => ({ grantee: headerGrantee(text, header), permission })),
  )
  const canned = headers['x-amz-acl']
  if (canned !== undefined && canned !== '') {
    if (grants.length > 0) {
      throw new S3Error('InvalidRequest', 'Specifying both Canned ACLs and Header Grants is not allowed')
    }
    if (!cannedNames.has(canned)) throw invalidArgument('x-amz-acl', canned, 'Invalid canned ACL')
    return { kind: 'canned', name: canned as CannedAcl }
  }
  if (grants.length === 0) return undefined
  if (grants.length > grantsMax) throw new S3Error('InvalidRequest', 'Too many grants')
  return { kind: 'grants', grants }
}

function decodeGrantee(node: XmlNode): NamedGrantee {
  const id = childText(node, 'ID')
  if (id !== undefined) return { by: 'id', id: id.trim() }
  const uri = childText(node, 'URI')
  if (uri !== undefined) return { by: 'uri', uri: uri.trim() }
  const email = childText(node, 'EmailAddress')
  if (email !== undefined) return { by: 'email', email: email.trim() }
  throw new S3Error('MalformedACLError')
}

/** The AccessControlPolicy document; `ownerId` as the client wrote it. Throws MalformedACLError. */
export function decodeAccessControlPolicy(root: XmlNode): {
  readonly ownerId: string | undefined
  readonly grants: readonly NamedGrant[]
} {
  const list = child(root, 'AccessControlList')
  const owner = child(root, 'Owner')
  if (list === undefined || owner === undefined) throw new S3Error('MalformedACLError')
  const nodes = childrenOf(list, 'Grant')
  if (nodes.length > grantsMax) throw new S3Error('MalformedACLError')
  const grants = nodes.map((node) => {
    const grantee = child(node, 'Grantee')
    const permission = permissions.find((name) => name === childText(node, 'Permission')?.trim())
    if (grantee === undefined || permission === undefined) throw new S3Error('MalformedACLError')
    return { grantee: decodeGrantee(grantee), permission }
  })
  return { ownerId: childText(owner, 'ID')?.trim(), grants }
}

async function resolveGrantee(named: NamedGrantee, accounts: AccountSource): Promise<Grantee> {
  switch (named.by) {
    case 'uri': {
      const found = Object.entries(groupUris).find(([, uri]) => uri === named.uri)
      if (found === undefined) throw invalidArgument('uri', named.uri, 'Invalid group uri')
      return { kind: found[0] as keyof typeof groupUris }
    }
    case 'email': {
      const account = await accounts.byEmail(named.email)
      if (account !== undefined) return { kind: 'user', id: account.accountId }
      throw new S3Error('UnresolvableGrantByEmailAddress', undefined, {
        details: { EmailAddress: named.email },
      })
    }
    case 'id': {
      if ((await accounts.byId(named.id)) === undefined) throw invalidArgument('id', named.id, 'Invalid id')
      return { kind: 'user', id: named.id }
    }
  }
}

export interface AclOwners {
  /** Of the bucket or object that gets the list. */
  readonly ownerId: string
  readonly bucketOwnerId: string
}

function cannedGrants(name: CannedAcl, { ownerId, bucketOwnerId }: AclOwners): readonly Grant[] {
  const full: Grant = { grantee: { kind: 'user', id: ownerId }, permission: 'FULL_CONTROL' }
  const group = (kind: keyof typeof groupUris, permission: AclPermission): Grant => ({
    grantee: { kind },
    permission,
  })
  const toBucketOwner = (permission: AclPermission): readonly Grant[] =>
    bucketOwnerId === ownerId ? [] : [{ grantee: { kind: 'user', id: bucketOwnerId }, permission }]
  switch (name) {
    case 'public-read':
      return [full, group('all-users', 'READ')]
    case 'public-read-write':
      return [full, group('all-users', 'READ'), group('all-users', 'WRITE')]
    case 'authenticated-read':
      return [full, group('authenticated-users', 'READ')]
    case 'bucket-owner-read':
      return [full, ...toBucketOwner('READ')]
    case 'bucket-owner-full-control':
      return [full, ...toBucketOwner('FULL_CONTROL')]
    case 'log-delivery-write':
      return [full, group('log-delivery', 'WRITE'), group('log-delivery', 'READ_ACP')]
    case 'private':
    case 'aws-exec-read':
      // There is no EC2 here that would read with the latter.
      return [full]
  }
}

/** The list that a request asks for. Throws InvalidArgument, UnresolvableGrantByEmailAddress. */
export async function resolveAcl(
  request: AclRequest,
  owners: AclOwners,
  accounts: AccountSource,
): Promise<Acl> {
  if (request.kind === 'canned') return { grants: cannedGrants(request.name, owners) }
  const grants = request.grants.map(async ({ grantee, permission }) => ({
    grantee: await resolveGrantee(grantee, accounts),
    permission,
  }))
  return { grants: await Promise.all(grants) }
}

/** Whether the list says no more than that its owner has everything, as a list that is absent does. */
export function isPrivateAcl(acl: Acl, ownerId: string): boolean {
  const [grant] = acl.grants
  return (
    acl.grants.length === 1 &&
    grant?.permission === 'FULL_CONTROL' &&
    grant.grantee.kind === 'user' &&
    grant.grantee.id === ownerId
  )
}

/** Whether a list lets in everybody, or everybody with an account. */
export function isPublicAcl(acl: Acl | undefined): boolean {
  return acl?.grants.some(({ grantee }) => isPublicGrantee(grantee)) ?? false
}

export function isPublicGrantee(grantee: Grantee): boolean {
  return grantee.kind === 'all-users' || grantee.kind === 'authenticated-users'
}

function encodeGrantee(grantee: Grantee, names: ReadonlyMap<string, Account>): string {
  const [type, ...markup] =
    grantee.kind === 'user'
      ? [
          'CanonicalUser',
          element('ID', grantee.id),
          element('DisplayName', names.get(grantee.id)?.displayName ?? grantee.id),
        ]
      : ['Group', element('URI', groupUris[grantee.kind])]
  return `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${markup.join('')}</Grantee>`
}

/** The answer of GetBucketAcl and GetObjectAcl: groups first, then users, each in the order of the list. */
export async function encodeAcl(
  acl: Acl | undefined,
  ownerId: string,
  accounts: AccountSource,
): Promise<string> {
  const grants = acl?.grants ?? [
    { grantee: { kind: 'user' as const, id: ownerId }, permission: 'FULL_CONTROL' as const },
  ]
  const grantees = grants.flatMap(({ grantee }) => (grantee.kind === 'user' ? [grantee.id] : []))
  const names = await accountsNamed([ownerId, ...grantees], accounts)
  const ordered = [
    ...grants.filter(({ grantee }) => grantee.kind !== 'user'),
    ...grants.filter(({ grantee }) => grantee.kind === 'user'),
  ]
  const list = ordered.map(({ grantee, permission }) =>
    wrap('Grant', encodeGrantee(grantee, names), element('Permission', permission)),
  )
  return document(
    'AccessControlPolicy',
    wrap('Owner', element('ID', ownerId), element('DisplayName', names.get(ownerId)?.displayName ?? ownerId)),
    wrap('AccessControlList', ...list),
  )
}
