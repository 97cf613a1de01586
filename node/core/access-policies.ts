/**
 * Policies: inline ones of users, groups and roles, and managed ones with their versions and where they are attached.
 *
 * Invariants: what a subject has attached exists, and is counted at the policy; sizes stay within AWS's quotas, counted
 * as AWS counts them (white space is free).
 */

import { ClusterError } from '../errors.ts'
import {
  claimName,
  countPolicyUse,
  deleteConflict,
  limitExceeded,
  noSuch,
  releaseName,
} from './access-entities.ts'
import { requireGroup } from './access-groups.ts'
import { requireRole } from './access-roles.ts'
import { accessLimits, accessRowKeys, noPolicies, type PolicyRow } from './access-rows.ts'
import type {
  AccessCommand,
  AccessReplies,
  InlinePolicy,
  ManagedPolicy,
  PolicySubject,
  PolicyVersion,
  SubjectPolicies,
} from './access-types.ts'
import { accountOfUser, requireUser } from './access-users.ts'
import { registryKeys } from './registry-rows.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends AccessCommand['kind']> = Extract<AccessCommand, { kind: K }>
type Nothing = Record<string, never>

function characters(document: string): number {
  return document.replace(/\s/g, '').length
}

/** Refuses: NoSuchEntity, LimitExceeded. */
export function putInlinePolicy(changes: RowChanges, command: Command<'put-inline-policy'>): Nothing {
  const { subject, name, document } = command
  const before = subjectOf(changes, subject)
  const others = before.policies.inline.filter((policy) => policy.name !== name)
  const inline = [...others, { name, document }].sort(byName)
  const sum = inline.reduce((total, policy) => total + characters(policy.document), 0)
  const max = accessLimits.inlineCharactersMax[subject.kind]
  if (sum > max) {
    throw limitExceeded(`Maximum policy size of ${max} bytes exceeded for ${subject.kind} ${before.name}`)
  }
  before.put({ ...before.policies, inline })
  return {}
}

function byName(a: InlinePolicy, b: InlinePolicy): number {
  return a.name < b.name ? -1 : 1
}

/** Refuses NoSuchEntity. */
export function deleteInlinePolicy(changes: RowChanges, command: Command<'delete-inline-policy'>): Nothing {
  const before = subjectOf(changes, command.subject)
  const inline = before.policies.inline.filter((policy) => policy.name !== command.name)
  if (inline.length === before.policies.inline.length) throw noSuch('policy', command.name)
  before.put({ ...before.policies, inline })
  return {}
}

/** Refuses: NoSuchEntity, LimitExceeded. */
export function setPolicyAttachment(changes: RowChanges, command: Command<'set-policy-attachment'>): Nothing {
  const { policyArn: arn, attached } = command
  const before = subjectOf(changes, command.subject)
  const others = before.policies.attached.filter((each) => each !== arn)
  const has = others.length < before.policies.attached.length
  if (!attached && !has) throw new ClusterError('NoSuchEntity', `Policy ${arn} was not found.`)
  if (attached && has) return {}
  const max = accessLimits.attachedMax
  if (attached && others.length >= max)
    throw limitExceeded(`Cannot exceed quota for PoliciesPerEntity: ${max}`)
  const policy = { accountId: before.accountId, arn }
  countPolicyUse(changes, policy, { field: 'attachments', by: attached ? 1 : -1 })
  before.put({ ...before.policies, attached: attached ? [...others, arn] : others })
  return {}
}

interface Subject {
  readonly accountId: string
  readonly name: string
  readonly policies: SubjectPolicies
  put(policies: SubjectPolicies): void
}

function subjectOf(changes: RowChanges, { kind, id }: PolicySubject): Subject {
  if (kind === 'user') {
    const row = requireUser(changes, id)
    return {
      accountId: accountOfUser(row.user),
      name: row.user.name,
      policies: row.policies ?? noPolicies,
      put: (policies) => changes.put(registryKeys.user(id), { ...row, policies }),
    }
  }
  if (kind === 'group') {
    const row = requireGroup(changes, id)
    return {
      ...row.group,
      policies: row.policies,
      put: (policies) => changes.put(accessRowKeys.group(id), { ...row, policies }),
    }
  }
  const row = requireRole(changes, id)
  return {
    ...row.role,
    policies: row.policies,
    put: (policies) => changes.put(accessRowKeys.role(id), { ...row, policies }),
  }
}

/** Refuses: EntityExists, LimitExceeded, NoSuchEntity (account), BadMessage (it does not begin as a new policy does). */
export function createPolicy(changes: RowChanges, { policy }: Command<'create-policy'>): Nothing {
  const { policyId, accountId, name } = policy
  const key = accessRowKeys.policy(policyId)
  if (changes.has(key)) return {}
  const [version, ...more] = policy.versions
  const fresh = policy.attachments === 0 && policy.boundaries === 0 && policy.nextVersion === 2
  if (version?.versionId !== 'v1' || more.length > 0 || policy.defaultVersionId !== 'v1' || !fresh) {
    throw new ClusterError('BadMessage', 'a policy begins with version v1, attached to nothing')
  }
  checkManaged(version.document)
  claimName(changes, { entity: 'policy', accountId, name, id: policyId })
  changes.put(key, { policy } satisfies PolicyRow)
  return {}
}

function checkManaged(document: string): void {
  const max = accessLimits.managedCharactersMax
  if (characters(document) > max) throw limitExceeded(`Cannot exceed quota for PolicySize: ${max}`)
}

function requirePolicy(changes: RowChanges, policyId: string): ManagedPolicy {
  const row = changes.get<PolicyRow>(accessRowKeys.policy(policyId))
  if (row === undefined) throw noSuch('policy', policyId)
  return row.policy
}

/** Refuses: NoSuchEntity, LimitExceeded, DeleteConflict (the default version). */
export function changePolicy(
  changes: RowChanges,
  { policyId, change }: Command<'change-policy'>,
): AccessReplies['change-policy'] {
  const policy = requirePolicy(changes, policyId)
  const put = (changed: Partial<ManagedPolicy>) =>
    changes.put(accessRowKeys.policy(policyId), { policy: { ...policy, ...changed } } satisfies PolicyRow)
  if (change.kind === 'add') {
    const { document, nowMs } = change
    checkManaged(document)
    const max = accessLimits.policyVersionsMax
    if (policy.versions.length >= max) throw limitExceeded(`A managed policy can have up to ${max} versions.`)
    const versionId = `v${policy.nextVersion}`
    const version: PolicyVersion = { versionId, document, createdMs: nowMs }
    const defaultVersionId = change.isDefault ? versionId : policy.defaultVersionId
    const versions = [version, ...policy.versions]
    put({ versions, defaultVersionId, nextVersion: policy.nextVersion + 1, updatedMs: nowMs })
    return { versionId }
  }
  const { versionId } = change
  if (!policy.versions.some((version) => version.versionId === versionId))
    throw noSuch('policy version', versionId)
  if (change.kind === 'set-default') put({ defaultVersionId: versionId, updatedMs: change.nowMs })
  else {
    if (versionId === policy.defaultVersionId) throw deleteConflict('make another version the default one')
    put({ versions: policy.versions.filter((version) => version.versionId !== versionId) })
  }
  return { versionId: '' }
}

/** Refuses: NoSuchEntity, DeleteConflict. */
export function deletePolicy(changes: RowChanges, { policyId }: Command<'delete-policy'>): Nothing {
  const policy = requirePolicy(changes, policyId)
  if (policy.attachments > 0) throw deleteConflict('detach the policy')
  if (policy.boundaries > 0) throw deleteConflict('end its use as a permissions boundary')
  if (policy.versions.length > 1) throw deleteConflict('delete the versions beside the default one')
  releaseName(changes, { entity: 'policy', accountId: policy.accountId, name: policy.name })
  changes.delete(accessRowKeys.policy(policyId))
  return {}
}
