/**
 * Access as the registry keeps it: groups, roles, policies, identity providers, and the keys that seal sessions.
 *
 * An account is its root user: their ids are the same. Policies are text that gateways wrote and gateways read; nodes
 * bound them and never judge by them. Field names are on disk and on the wire: append-only. Times are wall-clock ms of
 * the gateway that proposed.
 */
import type { Credential, User } from './registry-types.ts'

export interface AccessTag {
  readonly key: string
  readonly value: string
}

/** Names are unique in their account, whatever the case of their letters. */
interface Named {
  readonly accountId: string
  readonly name: string
  /** Begins and ends with a slash. */
  readonly path: string
  readonly createdMs: number
}

export interface Group extends Named {
  readonly groupId: string
}

export interface Role extends Named {
  readonly roleId: string
  /** Who may assume it. */
  readonly trustPolicy: string
  readonly maxSessionSeconds: number
  readonly description?: string
  /** ARN of the managed policy that bounds it. */
  readonly boundary?: string
  readonly tags?: readonly AccessTag[]
}

export interface PolicyVersion {
  /** `v1`, `v2` ...; never used again. */
  readonly versionId: string
  readonly document: string
  readonly createdMs: number
}

/** A managed policy. */
export interface ManagedPolicy extends Named {
  readonly policyId: string
  readonly updatedMs: number
  readonly versions: readonly PolicyVersion[]
  readonly defaultVersionId: string
  /** Number of the next version. */
  readonly nextVersion: number
  /** Users, groups and roles that have it attached. */
  readonly attachments: number
  /** Users and roles that it bounds. */
  readonly boundaries: number
  readonly description?: string
}

/** An issuer of OpenID Connect tokens that an account trusts. */
export interface OidcProvider {
  readonly accountId: string
  /** Without scheme: `host/path`. It names the provider. */
  readonly url: string
  readonly scheme: 'https' | 'http'
  readonly createdMs: number
  /** Audiences that its tokens must name. */
  readonly clientIds: readonly string[]
  /** SHA-1 fingerprints of certificates, hex, as IAM keeps them. */
  readonly thumbprints: readonly string[]
  /** Its keys (JSON Web Key Set), when they are not to be fetched. */
  readonly keySet?: string
}

/** A key that seals the tokens of sessions, itself wrapped by the owner's key store. */
export interface SessionKey {
  readonly keyId: string
  readonly wrappedKey: Uint8Array
  readonly createdMs: number
}

/** Who has policies of his own. */
export interface PolicySubject {
  readonly kind: 'user' | 'group' | 'role'
  /** userId, groupId or roleId. */
  readonly id: string
}

export interface InlinePolicy {
  readonly name: string
  readonly document: string
}

/** The policies of one subject: by name, and in the order in which they were attached. */
export interface SubjectPolicies {
  readonly inline: readonly InlinePolicy[]
  /** ARNs of managed policies. */
  readonly attached: readonly string[]
}

/** What a request by a user or role is judged by. Policies of the account `aws` are built into gateways: named only. */
export interface EffectivePolicies {
  readonly documents: readonly string[]
  readonly builtIn: readonly string[]
  /** Undefined: not bounded. */
  readonly boundary: { readonly document: string } | { readonly builtIn: string } | undefined
}

/** What `aws`'s policies are called; gateways know their text (gateway/iam/built-in-policies.ts). */
export const builtInPrefix = 'arn:aws:iam::aws:policy/'

export interface UserChange {
  readonly name?: string
  readonly path?: string
  readonly boundary?: string | null
  readonly tags?: readonly AccessTag[]
  /** disabled: none of his keys and sessions works. */
  readonly state?: 'active' | 'disabled'
}

export interface RoleChange {
  readonly trustPolicy?: string
  readonly description?: string
  readonly maxSessionSeconds?: number
  readonly boundary?: string | null
  readonly tags?: readonly AccessTag[]
}

export type PolicyChange =
  | { readonly kind: 'add'; readonly document: string; readonly isDefault: boolean; readonly nowMs: number }
  | { readonly kind: 'remove'; readonly versionId: string }
  | { readonly kind: 'set-default'; readonly versionId: string; readonly nowMs: number }

export interface ProviderChange {
  readonly addClientId?: string
  readonly removeClientId?: string
  readonly thumbprints?: readonly string[]
  readonly keySet?: string
}

/**
 * Refusals: NoSuchEntity (what is named is not there), EntityExists (the name is taken), DeleteConflict (it is still
 * used; the message says by what), LimitExceeded.
 */
export type AccessCommand = AccessChange & {
  /** Who asked for it: an ARN, or `operator`. For the record; nothing is decided by it. */
  readonly by?: string
}

type AccessChange =
  /** A user of an account, without keys. The account must exist. */
  | { readonly kind: 'create-user'; readonly user: User }
  | { readonly kind: 'update-user'; readonly userId: string; readonly change: UserChange }
  /** DeleteConflict while he has keys, policies or groups. */
  | { readonly kind: 'delete-user'; readonly userId: string }
  | { readonly kind: 'create-access-key'; readonly credential: Credential }
  | {
      readonly kind: 'set-access-key-state'
      readonly userId: string
      readonly accessKeyId: string
      readonly state: Credential['state']
    }
  | { readonly kind: 'delete-access-key'; readonly userId: string; readonly accessKeyId: string }
  | { readonly kind: 'create-group'; readonly group: Group }
  | {
      readonly kind: 'update-group'
      readonly groupId: string
      readonly change: { readonly name?: string; readonly path?: string }
    }
  /** DeleteConflict while it has members or policies. */
  | { readonly kind: 'delete-group'; readonly groupId: string }
  | {
      readonly kind: 'set-group-member'
      readonly groupId: string
      readonly userId: string
      readonly member: boolean
    }
  | { readonly kind: 'create-role'; readonly role: Role }
  | { readonly kind: 'update-role'; readonly roleId: string; readonly change: RoleChange }
  /** DeleteConflict while it has policies. */
  | { readonly kind: 'delete-role'; readonly roleId: string }
  | { readonly kind: 'create-policy'; readonly policy: ManagedPolicy }
  /** DeleteConflict for the default version, LimitExceeded for one too many. */
  | { readonly kind: 'change-policy'; readonly policyId: string; readonly change: PolicyChange }
  /** DeleteConflict while it is attached, is a boundary, or has versions beside its default. */
  | { readonly kind: 'delete-policy'; readonly policyId: string }
  | {
      readonly kind: 'put-inline-policy'
      readonly subject: PolicySubject
      readonly name: string
      readonly document: string
    }
  | { readonly kind: 'delete-inline-policy'; readonly subject: PolicySubject; readonly name: string }
  /** Attaching what is attached is no error; detaching what is not is NoSuchEntity. */
  | {
      readonly kind: 'set-policy-attachment'
      readonly subject: PolicySubject
      readonly policyArn: string
      readonly attached: boolean
    }
  | { readonly kind: 'create-oidc-provider'; readonly provider: OidcProvider }
  | {
      readonly kind: 'update-oidc-provider'
      readonly accountId: string
      readonly url: string
      readonly change: ProviderChange
    }
  | { readonly kind: 'delete-oidc-provider'; readonly accountId: string; readonly url: string }
  /** Adds a key and forgets those made before `retireBeforeMs`. */
  | { readonly kind: 'put-session-key'; readonly key: SessionKey; readonly retireBeforeMs: number }

export interface AccessReplies {
  'create-user': Record<string, never>
  'update-user': Record<string, never>
  'delete-user': Record<string, never>
  'create-access-key': Record<string, never>
  'set-access-key-state': Record<string, never>
  'delete-access-key': Record<string, never>
  'create-group': Record<string, never>
  'update-group': Record<string, never>
  'delete-group': Record<string, never>
  'set-group-member': Record<string, never>
  'create-role': Record<string, never>
  'update-role': Record<string, never>
  'delete-role': Record<string, never>
  'create-policy': Record<string, never>
  /** The version that was added; `''` for the other changes. */
  'change-policy': { versionId: string }
  'delete-policy': Record<string, never>
  'put-inline-policy': Record<string, never>
  'delete-inline-policy': Record<string, never>
  'set-policy-attachment': Record<string, never>
  'create-oidc-provider': Record<string, never>
  'update-oidc-provider': Record<string, never>
  'delete-oidc-provider': Record<string, never>
  'put-session-key': Record<string, never>
}

/** By id, or by account and name. */
export type EntityRef = { readonly id: string } | { readonly accountId: string; readonly name: string }

export interface EntityKinds {
  user: User
  group: Group
  role: Role
  policy: ManagedPolicy
}

export type AccessQuery =
  /** Everything that a request with this key is authenticated and judged by. */
  | { readonly kind: 'access-key'; readonly accessKeyId: string }
  /** As for a key, by the user's id: for sessions. */
  | { readonly kind: 'user-access'; readonly userId: string }
  | { readonly kind: 'role-access'; readonly roleId: string }
  | { readonly kind: 'find-entity'; readonly entity: keyof EntityKinds; readonly ref: EntityRef }
  /** By name, in one account. `after`: a name; `''`: from the beginning. */
  | {
      readonly kind: 'list-entities'
      readonly entity: keyof EntityKinds
      readonly accountId: string
      readonly pathPrefix: string
      readonly after: string
      readonly limit: number
    }
  /** Keys of a user, without their secrets. */
  | { readonly kind: 'list-access-keys'; readonly userId: string }
  | { readonly kind: 'list-subject-policies'; readonly subject: PolicySubject }
  | {
      readonly kind: 'list-group-members'
      readonly groupId: string
      readonly after: string
      readonly limit: number
    }
  | { readonly kind: 'list-groups-of-user'; readonly userId: string }
  /** One, or all of an account. */
  | { readonly kind: 'oidc-providers'; readonly accountId: string; readonly url?: string }
  | { readonly kind: 'account-counts'; readonly accountId: string }
  | { readonly kind: 'session-keys' }
  /** The root user of the account with this id, or whose root has this e-mail address. */
  | { readonly kind: 'find-account'; readonly accountId?: string; readonly email?: string }

export interface AccountCounts {
  readonly user: number
  readonly group: number
  readonly role: number
  readonly policy: number
  readonly provider: number
}

export interface AccessAnswers {
  'access-key': {
    credential: Credential | undefined
    user: User | undefined
    policies: EffectivePolicies | undefined
  }
  'user-access': { user: User | undefined; policies: EffectivePolicies | undefined }
  'role-access': { role: Role | undefined; policies: EffectivePolicies | undefined }
  'find-entity': { found: EntityKinds[keyof EntityKinds] | undefined }
  /** `next`: where the page after this one begins (`after`); undefined: this was the last. */
  'list-entities': { found: readonly EntityKinds[keyof EntityKinds][]; next: string | undefined }
  'list-access-keys': { credentials: readonly Omit<Credential, 'sealedSecret'>[] }
  /** Undefined: there is no such subject. */
  'list-subject-policies': { policies: SubjectPolicies | undefined }
  'list-group-members': { users: readonly User[]; next: string | undefined }
  'list-groups-of-user': { groups: readonly Group[] }
  'oidc-providers': { providers: readonly OidcProvider[] }
  'account-counts': { counts: AccountCounts }
  'session-keys': { keys: readonly SessionKey[] }
  'find-account': { root: User | undefined }
}
