/**
 * Users of accounts, and access keys.
 *
 * Invariants: an access key belongs to one user for good; nobody leaves while something of his remains (keys, policies,
 * groups); an account's root user is never deleted here, it is the account.
 */

import { ClusterError } from '../errors.ts'
import {
  changeBoundary,
  changeName,
  claimName,
  deleteConflict,
  limitExceeded,
  noSuch,
  releaseName,
} from './access-entities.ts'
import { accessLimits } from './access-rows.ts'
import type { AccessCommand } from './access-types.ts'
import {
  type CountsRow,
  type CredentialRow,
  registryKeys,
  registryLimits,
  type UserRow,
} from './registry-rows.ts'
import type { Credential, User } from './registry-types.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends AccessCommand['kind']> = Extract<AccessCommand, { kind: K }>
type Nothing = Record<string, never>

/** The account that a user belongs to. */
export function accountOfUser(user: User): string {
  return user.accountId ?? user.userId
}

export function requireUser(changes: RowChanges, userId: string): UserRow {
  const row = changes.get<UserRow>(registryKeys.user(userId))
  if (row === undefined) throw noSuch('user', userId)
  return row
}

/** Refuses: EntityExists, LimitExceeded, NoSuchEntity (account or boundary), BadMessage (a root is not made here). */
export function createUser(changes: RowChanges, { user }: Command<'create-user'>): Nothing {
  const { userId, name, accountId, boundary } = user
  if (accountId === undefined || accountId === userId) {
    throw new ClusterError('BadMessage', 'a user belongs to an account that is not himself')
  }
  const existing = changes.get<UserRow>(registryKeys.user(userId))
  if (existing !== undefined) {
    if (existing.user.name === name && existing.user.accountId === accountId) return {}
    throw new ClusterError('EntityExists', `User with id ${userId} already exists.`)
  }
  claimName(changes, { entity: 'user', accountId, name, id: userId })
  changeBoundary(changes, accountId, { from: undefined, to: boundary })
  countAll(changes, { users: 1, credentials: 0 })
  changes.put(registryKeys.user(userId), { user } satisfies UserRow)
  return {}
}

/** Refuses: NoSuchEntity, EntityExists (the new name), BadMessage (a root keeps its name and has no boundary). */
export function updateUser(changes: RowChanges, { userId, change }: Command<'update-user'>): Nothing {
  const row = requireUser(changes, userId)
  const accountId = accountOfUser(row.user)
  const { boundary, name, ...rest } = change
  if (accountId === userId && (name !== undefined || typeof boundary === 'string')) {
    throw new ClusterError('BadMessage', 'the root of an account keeps its name and is not bounded')
  }
  if (name !== undefined)
    changeName(changes, { entity: 'user', accountId, name: row.user.name, id: userId }, name)
  const { boundary: bounded, ...before } = row.user
  const boundaryAfter = boundary === undefined ? bounded : (boundary ?? undefined)
  changeBoundary(changes, accountId, { from: bounded, to: boundaryAfter })
  const user: User = {
    ...before,
    ...rest,
    ...(name === undefined ? {} : { name }),
    ...(boundaryAfter === undefined ? {} : { boundary: boundaryAfter }),
  }
  changes.put(registryKeys.user(userId), { ...row, user } satisfies UserRow)
  return {}
}

/** Refuses: NoSuchEntity, DeleteConflict, BadMessage (a root). */
export function deleteUser(changes: RowChanges, { userId }: Command<'delete-user'>): Nothing {
  const { user, keys = [], groups = [], policies } = requireUser(changes, userId)
  const accountId = accountOfUser(user)
  if (accountId === userId) throw new ClusterError('BadMessage', 'the root of an account is not deleted')
  if (keys.length > 0) throw deleteConflict('delete access keys')
  if (groups.length > 0) throw deleteConflict('remove users from group')
  if ((policies?.inline.length ?? 0) > 0) throw deleteConflict('delete policies')
  if ((policies?.attached.length ?? 0) > 0) throw deleteConflict('detach all policies')
  releaseName(changes, { entity: 'user', accountId, name: user.name })
  changeBoundary(changes, accountId, { from: user.boundary, to: undefined })
  countAll(changes, { users: -1, credentials: 0 })
  changes.delete(registryKeys.user(userId))
  return {}
}

/** Refuses: NoSuchEntity, LimitExceeded, Forbidden (another's key). Repeating it is answered like the first time. */
export function createAccessKey(changes: RowChanges, { credential }: Command<'create-access-key'>): Nothing {
  const { accessKeyId, userId } = credential
  const row = requireUser(changes, userId)
  const existing = changes.get<CredentialRow>(registryKeys.credential(accessKeyId))?.credential
  if (existing !== undefined && existing.userId !== userId) {
    throw new ClusterError('Forbidden', 'the access key belongs to another user')
  }
  if (existing !== undefined) return {}
  const keys = row.keys ?? []
  const max = accessLimits.keysPerUserMax
  if (keys.length >= max) throw limitExceeded(`Cannot exceed quota for AccessKeysPerUser: ${max}`)
  countAll(changes, { users: 0, credentials: 1 })
  changes.put(registryKeys.user(userId), { ...row, keys: [...keys, accessKeyId] } satisfies UserRow)
  changes.put(registryKeys.credential(accessKeyId), { credential } satisfies CredentialRow)
  return {}
}

/** Refuses NoSuchEntity. */
export function setAccessKeyState(changes: RowChanges, command: Command<'set-access-key-state'>): Nothing {
  const credential = requireKey(changes, command)
  changes.put(registryKeys.credential(credential.accessKeyId), {
    credential: { ...credential, state: command.state },
  } satisfies CredentialRow)
  return {}
}

/** Refuses NoSuchEntity. */
export function deleteAccessKey(changes: RowChanges, command: Command<'delete-access-key'>): Nothing {
  const { accessKeyId, userId } = requireKey(changes, command)
  const row = requireUser(changes, userId)
  const keys = (row.keys ?? []).filter((each) => each !== accessKeyId)
  countAll(changes, { users: 0, credentials: -1 })
  changes.put(registryKeys.user(userId), { ...row, keys } satisfies UserRow)
  changes.delete(registryKeys.credential(accessKeyId))
  return {}
}

function requireKey(changes: RowChanges, key: { userId: string; accessKeyId: string }): Credential {
  const credential = changes.get<CredentialRow>(registryKeys.credential(key.accessKeyId))?.credential
  if (credential?.userId === key.userId) return credential
  throw new ClusterError('NoSuchEntity', `The Access Key with id ${key.accessKeyId} cannot be found.`)
}

/** Keeps the numbers of the whole federation. Refuses LimitExceeded. */
function countAll(changes: RowChanges, by: CountsRow): void {
  const before = changes.get<CountsRow>(registryKeys.counts) ?? { users: 0, credentials: 0 }
  const users = before.users + by.users
  const credentials = before.credentials + by.credentials
  if (users > registryLimits.usersMax && by.users > 0)
    throw limitExceeded('the federation has no room for users')
  if (credentials > registryLimits.credentialsMax && by.credentials > 0) {
    throw limitExceeded('the federation has no room for access keys')
  }
  changes.put(registryKeys.counts, { users, credentials } satisfies CountsRow)
}
