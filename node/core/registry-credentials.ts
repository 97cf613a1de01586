/**
 * Users and their access keys.
 *
 * Invariants: an access key belongs to one user for good; a disabled one never becomes active again, however late the
 * command that created it is repeated. Secrets are sealed for their owner: nothing here can read them.
 */
import { ClusterError } from '../errors.ts'
import {
  type CountsRow,
  type CredentialRow,
  registryKeys,
  registryLimits,
  type UserRow,
} from './registry-rows.ts'
import type { RegistryCommand } from './registry-types.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends RegistryCommand['kind']> = Extract<RegistryCommand, { kind: K }>

/**
 * Adds a user with an access key, or another key to a user, or a newly sealed secret to a key.
 * Refuses: Forbidden (the key is another user's), NoSpace (too many users or keys), BadMessage (key and user differ).
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
  changes.put(userKey, { user } satisfies UserRow)
  changes.put(credentialKey, { credential: { ...credential, state } } satisfies CredentialRow)
  changes.put(registryKeys.counts, { users, credentials } satisfies CountsRow)
  return {}
}

/** Disables an access key for good. Refuses with BadMessage when there is none of that name. */
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
