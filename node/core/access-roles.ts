/**
 * Roles, the OpenID Connect providers whose tokens may assume them, and the keys that seal their sessions.
 */

import { ClusterError } from '../errors.ts'
import {
  changeBoundary,
  claimName,
  countEntity,
  deleteConflict,
  limitExceeded,
  noSuch,
  releaseName,
} from './access-entities.ts'
import {
  accessLimits,
  accessRowKeys,
  noPolicies,
  type ProviderRow,
  type RoleRow,
  type SessionKeysRow,
} from './access-rows.ts'
import type { AccessCommand, OidcProvider, Role } from './access-types.ts'
import { registryKeys } from './registry-rows.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends AccessCommand['kind']> = Extract<AccessCommand, { kind: K }>
type Nothing = Record<string, never>

export function requireRole(changes: RowChanges, roleId: string): RoleRow {
  const row = changes.get<RoleRow>(accessRowKeys.role(roleId))
  if (row === undefined) throw noSuch('role', roleId)
  return row
}

/** Refuses: EntityExists, LimitExceeded, NoSuchEntity (account or boundary). */
export function createRole(changes: RowChanges, { role }: Command<'create-role'>): Nothing {
  const { roleId, accountId, name } = role
  const key = accessRowKeys.role(roleId)
  if (changes.has(key)) return {}
  checkTrust(role.trustPolicy)
  claimName(changes, { entity: 'role', accountId, name, id: roleId })
  changeBoundary(changes, accountId, { from: undefined, to: role.boundary })
  changes.put(key, { role, policies: noPolicies } satisfies RoleRow)
  return {}
}

/** Refuses: NoSuchEntity, LimitExceeded. */
export function updateRole(changes: RowChanges, { roleId, change }: Command<'update-role'>): Nothing {
  const row = requireRole(changes, roleId)
  const { boundary, ...rest } = change
  if (rest.trustPolicy !== undefined) checkTrust(rest.trustPolicy)
  const { boundary: bounded, ...before } = row.role
  const boundaryAfter = boundary === undefined ? bounded : (boundary ?? undefined)
  changeBoundary(changes, row.role.accountId, { from: bounded, to: boundaryAfter })
  const role: Role = {
    ...before,
    ...rest,
    ...(boundaryAfter === undefined ? {} : { boundary: boundaryAfter }),
  }
  changes.put(accessRowKeys.role(roleId), { ...row, role } satisfies RoleRow)
  return {}
}

/** Refuses: NoSuchEntity, DeleteConflict. */
export function deleteRole(changes: RowChanges, { roleId }: Command<'delete-role'>): Nothing {
  const { role, policies } = requireRole(changes, roleId)
  if (policies.inline.length > 0) throw deleteConflict('delete policies')
  if (policies.attached.length > 0) throw deleteConflict('detach all policies')
  releaseName(changes, { entity: 'role', accountId: role.accountId, name: role.name })
  changeBoundary(changes, role.accountId, { from: role.boundary, to: undefined })
  changes.delete(accessRowKeys.role(roleId))
  return {}
}

function checkTrust(document: string): void {
  const max = accessLimits.trustCharactersMax
  if (document.replace(/\s/g, '').length <= max) return
  throw limitExceeded(`Cannot exceed quota for ACLSizePerRole: ${max}`)
}

/** Refuses: EntityExists, LimitExceeded, NoSuchEntity (account). */
export function createProvider(changes: RowChanges, { provider }: Command<'create-oidc-provider'>): Nothing {
  const { accountId, url } = provider
  const key = accessRowKeys.provider(accountId, url)
  if (changes.has(key)) throw new ClusterError('EntityExists', `Provider with url ${url} already exists.`)
  if (!changes.has(registryKeys.user(accountId))) throw noSuch('account', accountId)
  countEntity(changes, accountId, { field: 'provider', by: 1, max: accessLimits.providersMax })
  changes.put(key, { provider } satisfies ProviderRow)
  return {}
}

/** Refuses: NoSuchEntity, LimitExceeded. */
export function updateProvider(changes: RowChanges, command: Command<'update-oidc-provider'>): Nothing {
  const key = accessRowKeys.provider(command.accountId, command.url)
  const before = requireProvider(changes, key, command.url)
  const { addClientId, removeClientId, ...rest } = command.change
  const kept = before.clientIds.filter((each) => each !== removeClientId)
  const clientIds = addClientId === undefined || kept.includes(addClientId) ? kept : [...kept, addClientId]
  const max = accessLimits.clientIdsMax
  if (clientIds.length > max)
    throw limitExceeded(`Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${max}`)
  const provider: OidcProvider = { ...before, ...rest, clientIds }
  changes.put(key, { provider } satisfies ProviderRow)
  return {}
}

/** Refuses NoSuchEntity. */
export function deleteProvider(changes: RowChanges, command: Command<'delete-oidc-provider'>): Nothing {
  const { accountId, url } = command
  const key = accessRowKeys.provider(accountId, url)
  requireProvider(changes, key, url)
  countEntity(changes, accountId, { field: 'provider', by: -1, max: 0 })
  changes.delete(key)
  return {}
}

function requireProvider(changes: RowChanges, key: string, url: string): OidcProvider {
  const provider = changes.get<ProviderRow>(key)?.provider
  if (provider === undefined) throw noSuch('OpenIDConnect provider', url)
  return provider
}

/** Refuses LimitExceeded: a gateway that makes keys without end is stopped. */
export function putSessionKey(changes: RowChanges, command: Command<'put-session-key'>): Nothing {
  const { key, retireBeforeMs } = command
  const before = changes.get<SessionKeysRow>(accessRowKeys.sessionKeys)?.keys ?? []
  if (before.some((each) => each.keyId === key.keyId)) return {}
  const kept = before.filter((each) => each.createdMs >= retireBeforeMs)
  const max = accessLimits.sessionKeysMax
  if (kept.length >= max) throw limitExceeded(`there are ${max} session keys`)
  changes.put(accessRowKeys.sessionKeys, { keys: [key, ...kept] } satisfies SessionKeysRow)
  return {}
}
