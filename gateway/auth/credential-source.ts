/**
 * Where the front finds who a key or a session belongs to. Implemented over the registry (registry-credentials.ts).
 */
import type { Role } from '../../node/core/access-types.ts'
import type { User } from '../../node/core/registry-types.ts'
import type { IdentityPolicies } from './identity.ts'

export interface FoundUser {
  readonly user: User
  readonly access: IdentityPolicies
}

export interface FoundKey extends FoundUser {
  readonly secretAccessKey: string
}

export interface FoundRole {
  readonly role: Role
  readonly access: IdentityPolicies
}

/** All may answer from a cache of seconds. Undefined: there is none, or it is disabled. */
export interface CredentialSource {
  find(accessKeyId: string): Promise<FoundKey | undefined>
  /** For sessions of users: of the one whose key this is, without its secret. */
  user(userId: string): Promise<FoundUser | undefined>
  role(roleId: string): Promise<FoundRole | undefined>
  /** Text of a managed policy in force. */
  managedPolicy(arn: string): Promise<string | undefined>
}

/** Opens the tokens of sessions (gateway/sts/session-token.ts). */
export interface SessionOpener {
  /** Undefined: not a token of ours. Expired ones are opened, too: `expiresMs` is for the caller to judge. */
  open(token: string): Promise<Session | undefined>
}

/** Temporary credentials and what they stand for. */
export interface Session {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly issuedMs: number
  readonly expiresMs: number
  readonly subject:
    | { readonly kind: 'role'; readonly roleId: string; readonly sessionName: string }
    /** The user's key with which the session began: it ends with that key. */
    | { readonly kind: 'user'; readonly userId: string; readonly accessKeyId: string }
  /** Documents that narrow it. Absent: none. */
  readonly policies?: readonly string[]
  /** Managed policies that narrow it, with the documents: they are read when they are used. */
  readonly policyArns?: readonly string[]
  /** As for `Identity.contextKeys`. */
  readonly contextKeys?: Readonly<Record<string, readonly string[]>>
  /** Tags that the sessions begun from this one inherit, by name. */
  readonly transitiveTags?: readonly string[]
}
