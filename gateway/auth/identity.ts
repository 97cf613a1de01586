/**
 * Who sends a request, as authorisation, ownership and records see it.
 *
 * Invariant: `accountId` owns what the identity creates, and is what ACLs and bucket owners name (the canonical id).
 * A user without an account in the registry is an account of its own, and its root.
 * The policies are documents as text; what they mean is gateway/auth/policy's.
 * Source of the ARNs: AWS, "IAM identifiers"; of the ids: "Unique identifiers" (aws:userid of a session).
 */
import type { AccessTag, Role } from '../../node/core/access-types.ts'
import type { User } from '../../node/core/registry-types.ts'

/** What limits and allows an identity, beside what resources say of it. */
export interface IdentityPolicies {
  /** Identity policies: a user's own and those of his groups, or the role's. */
  readonly policies: readonly string[]
  /** The permissions boundary; absent: none. */
  readonly boundary?: string
}

export interface Identity extends IdentityPolicies {
  readonly kind: 'anonymous' | 'user' | 'role'
  /** '' for anonymous requests. */
  readonly accessKeyId: string
  /** '' for anonymous requests. */
  readonly accountId: string
  /** A user's id; of a role's session `<role id>:<session name>`. */
  readonly userId: string
  /** As people know it: display name in XML. */
  readonly userName: string
  /** '' for anonymous requests. Of a session: `arn:aws:sts::<account>:assumed-role/<role>/<session>`. */
  readonly arn: string
  /** May do everything in its account, unless a session policy narrows it. */
  readonly isRoot: boolean
  /** The role behind a session. */
  readonly roleArn?: string
  /** Policies given when the session began: it may do no more than they allow together. Absent: not narrowed. */
  readonly sessionPolicies?: readonly string[]
  /**
   * Context keys that come with the identity, by their names in lower case: `aws:principaltag/<name>`,
   * `aws:tokenissuetime`, claims of a web identity as `<issuer>:<claim>`. Absent: none.
   */
  readonly contextKeys?: Readonly<Record<string, readonly string[]>>
  /** Temporary credentials. Absent: a user's own key. */
  readonly session?: {
    readonly expiresMs: number
    /** Names of tags that sessions begun from this one inherit. */
    readonly transitiveTags: readonly string[]
  }
}

export const anonymous: Identity = {
  kind: 'anonymous',
  accessKeyId: '',
  accountId: '',
  userId: 'anonymous',
  userName: 'anonymous',
  arn: '',
  isRoot: false,
  policies: [],
}

/** The account that a user belongs to. */
export function accountOf(user: User): string {
  return user.accountId ?? user.userId
}

export function userArn(user: User): string {
  const accountId = accountOf(user)
  if (accountId === user.userId) return `arn:aws:iam::${accountId}:root`
  return `arn:aws:iam::${accountId}:user${user.path ?? '/'}${user.name}`
}

export function roleArn(role: Role): string {
  return `arn:aws:iam::${role.accountId}:role${role.path}${role.name}`
}

/** The identity behind a user's access key. */
export function userIdentity(
  accessKeyId: string,
  user: User,
  access: IdentityPolicies = { policies: [] },
): Identity {
  const accountId = accountOf(user)
  return {
    kind: 'user',
    accessKeyId,
    accountId,
    userId: user.userId,
    userName: user.name,
    arn: userArn(user),
    isRoot: accountId === user.userId,
    ...tagKeys(user.tags),
    ...access,
  }
}

/** The identity behind a session of a role, before what the session itself brings. */
export function roleIdentity(
  accessKeyId: string,
  of: { readonly role: Role; readonly access: IdentityPolicies; readonly sessionName: string },
): Identity {
  const { role, access, sessionName } = of
  return {
    kind: 'role',
    accessKeyId,
    accountId: role.accountId,
    userId: `${role.roleId}:${sessionName}`,
    userName: `${role.name}/${sessionName}`,
    arn: `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${sessionName}`,
    isRoot: false,
    roleArn: roleArn(role),
    ...tagKeys(role.tags),
    ...access,
  }
}

/** Context key of a tag of the principal. */
export function principalTagKey(name: string): string {
  return `aws:principaltag/${name.toLowerCase()}`
}

function tagKeys(tags: readonly AccessTag[] = []): Pick<Identity, 'contextKeys'> {
  if (tags.length === 0) return {}
  return {
    contextKeys: Object.fromEntries(tags.map(({ key, value }) => [principalTagKey(key), [value]])),
  }
}
