/** Markup of what IAM answers: users, groups, roles, policies. */
import type { AccessTag, Group, ManagedPolicy, Role } from '../../node/core/access-types.ts'
import type { User } from '../../node/core/registry-types.ts'
import { accountOf, roleArn, userArn } from '../auth/identity.ts'
import { uriEncode } from '../auth/sigv4.ts'
import { element, wrap } from '../s3/xml.ts'

/** `2026-01-01T00:00:00Z`. */
export function iamDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

export function members(name: string, markup: readonly string[]): string {
  return wrap(name, ...markup.map((each) => wrap('member', each)))
}

/** Plain texts as a list. */
export function textMembers(name: string, texts: readonly string[]): string {
  return wrap(name, ...texts.map((text) => element('member', text)))
}

/** IAM writes policies percent-encoded. */
export function documentElement(name: string, document: string): string {
  return element(name, uriEncode(document))
}

export function tagsMarkup(tags: readonly AccessTag[] = []): string {
  if (tags.length === 0) return ''
  return members(
    'Tags',
    tags.map(({ key, value }) => element('Key', key) + element('Value', value)),
  )
}

function boundaryMarkup(arn: string | undefined): string {
  if (arn === undefined) return ''
  return wrap(
    'PermissionsBoundary',
    element('PermissionsBoundaryType', 'PermissionsBoundaryPolicy'),
    element('PermissionsBoundaryArn', arn),
  )
}

/** Fields of a user. A root has neither name nor path. */
export function userFields(user: User): string {
  const isRoot = accountOf(user) === user.userId
  return [
    isRoot ? '' : element('Path', user.path ?? '/') + element('UserName', user.name),
    element('UserId', user.userId),
    element('Arn', userArn(user)),
    element('CreateDate', iamDate(user.createdMs ?? 0)),
    boundaryMarkup(user.boundary),
    tagsMarkup(user.tags),
  ].join('')
}

export function groupArn(group: Pick<Group, 'accountId' | 'path' | 'name'>): string {
  return `arn:aws:iam::${group.accountId}:group${group.path}${group.name}`
}

export function groupFields(group: Group): string {
  return [
    element('Path', group.path),
    element('GroupName', group.name),
    element('GroupId', group.groupId),
    element('Arn', groupArn(group)),
    element('CreateDate', iamDate(group.createdMs)),
  ].join('')
}

/** `whole`: with what AWS shows in GetRole only. */
export function roleFields(role: Role, { whole }: { whole: boolean }): string {
  return [
    element('Path', role.path),
    element('RoleName', role.name),
    element('RoleId', role.roleId),
    element('Arn', roleArn(role)),
    element('CreateDate', iamDate(role.createdMs)),
    documentElement('AssumeRolePolicyDocument', role.trustPolicy),
    element('Description', role.description),
    element('MaxSessionDuration', role.maxSessionSeconds),
    whole ? boundaryMarkup(role.boundary) : '',
    whole ? tagsMarkup(role.tags) : '',
  ].join('')
}

export function policyFields(policy: ManagedPolicy, arn: string): string {
  return [
    element('PolicyName', policy.name),
    element('PolicyId', policy.policyId),
    element('Arn', arn),
    element('Path', policy.path),
    element('DefaultVersionId', policy.defaultVersionId),
    element('AttachmentCount', policy.attachments),
    element('PermissionsBoundaryUsageCount', policy.boundaries),
    element('IsAttachable', true),
    element('Description', policy.description),
    element('CreateDate', iamDate(policy.createdMs)),
    element('UpdateDate', iamDate(policy.updatedMs)),
  ].join('')
}
