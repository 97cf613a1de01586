/**
 * What users, groups, roles and managed policies have in common: a name that is theirs alone in their account, and a
 * bound on how many of them an account has.
 *
 * Invariant: the index holds exactly the names of the entities that exist, and the counts their numbers.
 */
import { ClusterError } from '../errors.ts'
import {
  type AccountRow,
  accessLimits,
  accessRowKeys,
  type NameRow,
  noCounts,
  type PolicyRow,
  policyArn,
} from './access-rows.ts'
import { type AccountCounts, builtInPrefix, type EntityKinds, type ManagedPolicy } from './access-types.ts'
import { registryKeys } from './registry-rows.ts'
import type { RowChanges } from './row-changes.ts'

interface EntityName {
  readonly entity: keyof EntityKinds
  readonly accountId: string
  readonly name: string
}

/** Changes a count of an account. Refuses LimitExceeded above `max`. */
export function countEntity(
  changes: RowChanges,
  accountId: string,
  { field, by, max }: { field: keyof AccountCounts; by: 1 | -1; max: number },
): void {
  const key = accessRowKeys.account(accountId)
  const counts = changes.get<AccountRow>(key)?.counts ?? noCounts
  const count = counts[field] + by
  if (by > 0 && count > max)
    throw limitExceeded(`Cannot exceed quota for ${plurals[field]}PerAccount: ${max}`)
  changes.put(key, { counts: { ...counts, [field]: count } } satisfies AccountRow)
}

const plurals: Readonly<Record<keyof AccountCounts, string>> = {
  user: 'Users',
  group: 'Groups',
  role: 'Roles',
  policy: 'Policies',
  provider: 'OpenIdConnectProviders',
}

/** Takes a name for a new entity. Refuses EntityExists, LimitExceeded, NoSuchEntity (no such account). */
export function claimName(changes: RowChanges, named: EntityName & { id: string }): void {
  const { entity, accountId, id } = named
  if (!changes.has(registryKeys.user(accountId))) throw noSuch('account', accountId)
  takeName(changes, named)
  countEntity(changes, accountId, { field: entity, by: 1, max: accessLimits.entitiesMax[entity] })
  changes.put(accessRowKeys.named(entity, accountId, named.name), { id } satisfies NameRow)
}

/** Gives a name back with the entity that had it. */
export function releaseName(changes: RowChanges, { entity, accountId, name }: EntityName): void {
  changes.delete(accessRowKeys.named(entity, accountId, name))
  countEntity(changes, accountId, { field: entity, by: -1, max: 0 })
}

/** Moves an entity to another name. Refuses EntityExists. */
export function changeName(changes: RowChanges, from: EntityName & { id: string }, name: string): void {
  if (name.toLowerCase() === from.name.toLowerCase()) return
  const to = { ...from, name }
  takeName(changes, to)
  changes.delete(accessRowKeys.named(from.entity, from.accountId, from.name))
  changes.put(accessRowKeys.named(from.entity, from.accountId, name), { id: from.id } satisfies NameRow)
}

function takeName(changes: RowChanges, { entity, accountId, name }: EntityName): void {
  if (!changes.has(accessRowKeys.named(entity, accountId, name))) return
  throw new ClusterError('EntityExists', `${entity} with name ${name} already exists.`)
}

/** The policy row that an ARN names in this account. Refuses NoSuchEntity. */
export function requirePolicyByArn(changes: RowChanges, accountId: string, arn: string): PolicyRow {
  const name = arn.slice(arn.lastIndexOf('/') + 1)
  const id = changes.get<NameRow>(accessRowKeys.named('policy', accountId, name))?.id
  const row = id === undefined ? undefined : changes.get<PolicyRow>(accessRowKeys.policy(id))
  if (row === undefined || policyArn(row.policy) !== arn) throw noSuch('policy', arn)
  return row
}

/** Counts one use more or less of a managed policy; those that are built into gateways are not counted. */
export function countPolicyUse(
  changes: RowChanges,
  policy: { accountId: string; arn: string },
  { field, by }: { field: 'attachments' | 'boundaries'; by: 1 | -1 },
): void {
  if (policy.arn.startsWith(builtInPrefix)) return
  const row = requirePolicyByArn(changes, policy.accountId, policy.arn)
  const changed: ManagedPolicy = { ...row.policy, [field]: row.policy[field] + by }
  changes.put(accessRowKeys.policy(changed.policyId), { policy: changed } satisfies PolicyRow)
}

/** Moves the use of a boundary from one policy to another; both may be none. Refuses NoSuchEntity. */
export function changeBoundary(
  changes: RowChanges,
  accountId: string,
  { from, to }: { from: string | undefined; to: string | undefined },
): void {
  if (from === to) return
  if (to !== undefined) countPolicyUse(changes, { accountId, arn: to }, { field: 'boundaries', by: 1 })
  if (from !== undefined) countPolicyUse(changes, { accountId, arn: from }, { field: 'boundaries', by: -1 })
}

export function noSuch(what: string, name: string): ClusterError {
  return new ClusterError('NoSuchEntity', `The ${what} with name ${name} cannot be found.`)
}

export function limitExceeded(message: string): ClusterError {
  return new ClusterError('LimitExceeded', message)
}

export function deleteConflict(message: string): ClusterError {
  return new ClusterError('DeleteConflict', `Cannot delete entity, must ${message} first.`)
}
