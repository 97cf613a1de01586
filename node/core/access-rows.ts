/**
 * The rows of access in the registry group: their keys, the shapes of their values, and their bounds.
 *
 * | key                            | row                                                              |
 * |--------------------------------|------------------------------------------------------------------|
 * | `u/<userId>`                   | user, with his keys, groups and policies (registry-rows.ts)       |
 * | `g/<groupId>`                  | group, with its policies and the number of its members            |
 * | `r/<roleId>`                   | role, with its policies                                           |
 * | `d/<policyId>`                 | managed policy                                                    |
 * | `i/<kind>/<accountId>/<name>`  | index: id of the entity of that name, the name in lower case      |
 * | `e/<groupId>/<userId>`         | member of a group                                                 |
 * | `o/<accountId>/<url>`          | OpenID Connect provider                                           |
 * | `a/<accountId>`                | numbers of an account's users, groups, roles, policies, providers |
 * | `z`                            | keys that seal sessions, newest first                             |
 *
 * Ids and names contain no slash (access-check.ts), so keys cannot run into each other; a url comes last.
 */
import type {
  AccountCounts,
  EntityKinds,
  Group,
  ManagedPolicy,
  OidcProvider,
  Role,
  SessionKey,
  SubjectPolicies,
} from './access-types.ts'

/** Bounds of access. Where nothing else is said: the default quotas of AWS, "IAM and AWS STS quotas". */
export const accessLimits = {
  /** Of one account. */
  entitiesMax: { user: 5000, group: 300, role: 1000, policy: 1500 },
  providersMax: 100,
  keysPerUserMax: 2,
  groupsPerUserMax: 10,
  attachedMax: 20,
  /** Characters of all inline policies of a subject, white space not counted. */
  inlineCharactersMax: { user: 2048, group: 5120, role: 10_240 },
  managedCharactersMax: 6144,
  trustCharactersMax: 4096,
  policyVersionsMax: 5,
  clientIdsMax: 100,
  thumbprintsMax: 5,
  tagsMax: 50,
  /** A document as it is written, white space and all; AWS's bound of the parameter. */
  documentBytesMax: 131_072,
  /** A set of a few RSA keys with certificates; AWS fetches it and names no bound. */
  keySetBytesMax: 64 * 1024,
  /** A gateway makes one a month and every one is kept for a session's longest life beyond that. */
  sessionKeysMax: 8,
  /** Entities of one answer. */
  pageMax: 1000,
  descriptionBytesMax: 4000,
} as const

export interface GroupRow {
  readonly group: Group
  readonly policies: SubjectPolicies
  readonly members: number
}

export interface RoleRow {
  readonly role: Role
  readonly policies: SubjectPolicies
}

export interface PolicyRow {
  readonly policy: ManagedPolicy
}

export interface NameRow {
  readonly id: string
}

export interface ProviderRow {
  readonly provider: OidcProvider
}

export interface AccountRow {
  readonly counts: AccountCounts
}

export interface SessionKeysRow {
  readonly keys: readonly SessionKey[]
}

export const noPolicies: SubjectPolicies = { inline: [], attached: [] }
export const noCounts: AccountCounts = { user: 0, group: 0, role: 0, policy: 0, provider: 0 }

export const accessRowKeys = {
  group: (groupId: string) => `g/${groupId}`,
  role: (roleId: string) => `r/${roleId}`,
  policy: (policyId: string) => `d/${policyId}`,
  /** `name` in any case. */
  named: (entity: keyof EntityKinds, accountId: string, name: string) =>
    `i/${entity}/${accountId}/${name.toLowerCase()}`,
  member: (groupId: string, userId: string) => `e/${groupId}/${userId}`,
  provider: (accountId: string, url: string) => `o/${accountId}/${url}`,
  account: (accountId: string) => `a/${accountId}`,
  sessionKeys: 'z',
} as const

/** `arn:aws:iam::<account>:policy<path><name>`. */
export function policyArn(policy: Pick<ManagedPolicy, 'accountId' | 'path' | 'name'>): string {
  return `arn:aws:iam::${policy.accountId}:policy${policy.path}${policy.name}`
}
