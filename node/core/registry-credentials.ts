/**
 * Users with their keys as an operator registers them: roots of accounts above all. Users that accounts make for
 * themselves are access-users.ts'.
 *
 * Invariants: an access key belongs to one user for good; a disabled one never becomes active again by the command that
 * created it, however late that is repeated. Secrets are sealed for their owner: nothing here can read them.
 */
import { ClusterError } from '../errors.ts'
import { changeName, claimName } from './access-entities.ts'
import {
  type CountsRow,
  type CredentialRow,
  type EmailRow,
  registryKeys,
  registryLimits,
  type UserRow,
} from './registry-rows.ts'
import type { RegistryCommand, User } from './registry-types.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends RegistryCommand['kind']> = Extract<RegistryCommand, { kind: K }>

/**
 * Adds a user with an access key, or another key to a user, or a newly sealed secret to a key. What is known of the
 * user and not said again stays.
 * Refuses: Forbidden (the key is another user's; the user is of another account), NoSpace (too many users or keys),
 * BadMessage (key and user differ), EntityExists (his name or e-mail address is another's), NoSuchEntity (no account).
 */
export function putUser(
  changes: RowChanges,
  { user, credential }: Command<'put-user'>,
): Record<string, never> {
  if (credential.userId !== user.userId) throw new ClusterError('BadMessage', 'the key is for another user')
  const credentialKey = registryKeys.credential(credential.accessKeyId)
  const existing = changes.get<CredentialRow>(credentialKey)?.credential
  if (existing !== undefined && existing.userId !== user.userId) {
    throw new ClusterError('Forbidden', 'the access key belongs to another user')
  }
  const userKey = registryKeys.user(user.userId)
  const counts = changes.get<CountsRow>(registryKeys.counts) ?? { users: 0, credentials: 0 }
  const users = counts.users + (changes.has(userKey) ? 0 : 1)
  const credentials = counts.credentials + (existing === undefined ? 1 : 0)
  if (users > registryLimits.usersMax || credentials > registryLimits.credentialsMax) {
    throw new ClusterError('NoSpace', 'the registry has as many users or access keys as it takes')
  }
  const state = existing?.state === 'disabled' ? 'disabled' : credential.state
  const row = changes.get<UserRow>(userKey)
  register(changes, row?.user, user)
  const keys = [...(row?.keys ?? []).filter((id) => id !== credential.accessKeyId), credential.accessKeyId]
  changes.put(userKey, { ...row, user: { ...row?.user, ...user }, keys } satisfies UserRow)
  changes.put(credentialKey, { credential: { ...credential, state } } satisfies CredentialRow)
  changes.put(registryKeys.counts, { users, credentials } satisfies CountsRow)
  return {}
}

/** Keeps the indexes by name and e-mail address. An account's root has no name in it: it is the account. */
function register(changes: RowChanges, before: User | undefined, user: User): void {
  const { userId, name, email } = user
  const accountId = user.accountId ?? before?.accountId ?? userId
  if (before !== undefined && (before.accountId ?? userId) !== accountId) {
    throw new ClusterError('Forbidden', 'the user belongs to another account')
  }
  if (accountId !== userId) {
    const named = { entity: 'user', accountId, id: userId } as const
    if (before === undefined) claimName(changes, { ...named, name })
    else changeName(changes, { ...named, name: before.name }, name)
    return
  }
  if (email === undefined || email === before?.email) return
  const taken = changes.get<EmailRow>(registryKeys.email(email))?.accountId ?? accountId
  if (taken !== accountId) throw new ClusterError('EntityExists', "the e-mail address is another account's")
  if (before?.email !== undefined) changes.delete(registryKeys.email(before.email))
  changes.put(registryKeys.email(email), { accountId } satisfies EmailRow)
}

/** Disables an access key. Refuses with BadMessage when there is none of that name. */
export function disableCredential(
  changes: RowChanges,
  { accessKeyId }: Command<'disable-credential'>,
): Record<string, never> {
  const key = registryKeys.credential(accessKeyId)
  const row = changes.get<CredentialRow>(key)
  if (row === undefined) throw new ClusterError('BadMessage', 'there is no such access key')
  changes.put(key, { credential: { ...row.credential, state: 'disabled' } } satisfies CredentialRow)
  return {}
}
