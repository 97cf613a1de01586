/**
 * Groups and who is in them.
 *
 * Invariant: a membership is in three places or in none: its own row, the user's list, the group's number.
 */
import {
  changeName,
  claimName,
  deleteConflict,
  limitExceeded,
  noSuch,
  releaseName,
} from './access-entities.ts'
import { accessLimits, accessRowKeys, type GroupRow, noPolicies } from './access-rows.ts'
import type { AccessCommand, Group } from './access-types.ts'
import { accountOfUser, requireUser } from './access-users.ts'
import { registryKeys, type UserRow } from './registry-rows.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends AccessCommand['kind']> = Extract<AccessCommand, { kind: K }>
type Nothing = Record<string, never>

export function requireGroup(changes: RowChanges, groupId: string): GroupRow {
  const row = changes.get<GroupRow>(accessRowKeys.group(groupId))
  if (row === undefined) throw noSuch('group', groupId)
  return row
}

/** Refuses: EntityExists, LimitExceeded, NoSuchEntity (account). */
export function createGroup(changes: RowChanges, { group }: Command<'create-group'>): Nothing {
  const { groupId, accountId, name } = group
  const key = accessRowKeys.group(groupId)
  if (changes.has(key)) return {}
  claimName(changes, { entity: 'group', accountId, name, id: groupId })
  changes.put(key, { group, policies: noPolicies, members: 0 } satisfies GroupRow)
  return {}
}

/** Refuses: NoSuchEntity, EntityExists (the new name). */
export function updateGroup(changes: RowChanges, { groupId, change }: Command<'update-group'>): Nothing {
  const row = requireGroup(changes, groupId)
  const { accountId, name } = row.group
  if (change.name !== undefined) {
    changeName(changes, { entity: 'group', accountId, name, id: groupId }, change.name)
  }
  const group: Group = { ...row.group, ...change }
  changes.put(accessRowKeys.group(groupId), { ...row, group } satisfies GroupRow)
  return {}
}

/** Refuses: NoSuchEntity, DeleteConflict. */
export function deleteGroup(changes: RowChanges, { groupId }: Command<'delete-group'>): Nothing {
  const { group, policies, members } = requireGroup(changes, groupId)
  if (members > 0) throw deleteConflict('remove users from group')
  if (policies.inline.length > 0) throw deleteConflict('delete policies')
  if (policies.attached.length > 0) throw deleteConflict('detach all policies')
  releaseName(changes, { entity: 'group', accountId: group.accountId, name: group.name })
  changes.delete(accessRowKeys.group(groupId))
  return {}
}

/** Repeating it is no error. Refuses: NoSuchEntity (also for a user of another account), LimitExceeded. */
export function setGroupMember(changes: RowChanges, command: Command<'set-group-member'>): Nothing {
  const { groupId, userId, member } = command
  const groupRow = requireGroup(changes, groupId)
  const userRow = requireUser(changes, userId)
  if (accountOfUser(userRow.user) !== groupRow.group.accountId) throw noSuch('user', userId)
  const key = accessRowKeys.member(groupId, userId)
  if (changes.has(key) === member) return {}
  const others = (userRow.groups ?? []).filter((each) => each !== groupId)
  const max = accessLimits.groupsPerUserMax
  if (member && others.length >= max) throw limitExceeded(`Cannot exceed quota for GroupsPerUser: ${max}`)
  const groups = member ? [...others, groupId] : others
  const members = groupRow.members + (member ? 1 : -1)
  if (member) changes.put(key, {})
  else changes.delete(key)
  changes.put(registryKeys.user(userId), { ...userRow, groups } satisfies UserRow)
  changes.put(accessRowKeys.group(groupId), { ...groupRow, members } satisfies GroupRow)
  return {}
}
