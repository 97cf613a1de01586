/**
 * Who sends a request, as authorisation, ownership and records see it.
 *
 * Invariant: `accountId` owns what the identity creates, and is what ACLs and bucket owners name (the canonical id).
 * A user without an account in the registry is an account of its own, and its root.
 * Source of the ARNs: AWS, "IAM identifiers".
 */
import type { User } from '../../node/core/registry-types.ts'

export interface Identity {
  readonly kind: 'anonymous' | 'user' | 'role'
  /** '' for anonymous requests. */
  readonly accessKeyId: string
  /** '' for anonymous requests. */
  readonly accountId: string
  readonly userId: string
  /** As people know it: display name in XML. */
  readonly userName: string
  /** '' for anonymous requests. */
  readonly arn: string
  /** May do everything in its account. */
  readonly isRoot: boolean
}

export const anonymous: Identity = {
  kind: 'anonymous',
  accessKeyId: '',
  accountId: '',
  userId: 'anonymous',
  userName: 'anonymous',
  arn: '',
  isRoot: false,
}

/** The identity behind a user's access key. */
export function userIdentity(accessKeyId: string, user: User): Identity {
  const accountId = user.accountId ?? user.userId
  const isRoot = accountId === user.userId
  const arn = isRoot
    ? `arn:aws:iam::${accountId}:root`
    : `arn:aws:iam::${accountId}:user${user.path ?? '/'}${user.name}`
  return { kind: 'user', accessKeyId, accountId, userId: user.userId, userName: user.name, arn, isRoot }
}
