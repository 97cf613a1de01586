/**
 * What actions of IAM are about: found by name in the caller's account, with the ARN that policies know it by.
 *
 * Invariant: nothing outside the caller's account is ever found.
 */
import type { EntityKinds, Group, ManagedPolicy, PolicySubject, Role } from '../../node/core/access-types.ts'
import type { User } from '../../node/core/registry-types.ts'
import { roleArn, userArn } from '../auth/identity.ts'
import { groupArn } from './iam-xml.ts'
import type { ActionContext, Target } from './query-action.ts'
import { invalidParameter, QueryError } from './query-error.ts'
import type { QueryForm } from './query-form.ts'

export const namePattern = /^[\w+=,.@-]{1,128}$/
export const shortNamePattern = /^[\w+=,.@-]{1,64}$/
const pathPattern = /^\/(?:[\x21-\x7e]{0,510}\/)?$/

export function noSuchEntity(what: string, name: string): QueryError {
  return new QueryError('NoSuchEntity', `The ${what} with name ${name} cannot be found.`)
}

/** A path for something new. Throws ValidationError. */
export function pathOf(form: QueryForm, name = 'Path'): string | undefined {
  return form.matching(name, pathPattern)
}

/** What something is for, in words. Throws ValidationError. */
export function descriptionOf(form: QueryForm): string | undefined {
  return form.matching('Description', /^[\t\n\r\x20-\x7e\u00a1-\u00ff]{0,1000}$/)
}

export function pathPrefixOf(form: QueryForm): string {
  return form.matching('PathPrefix', /^\/[\x21-\x7e]{0,511}$/) ?? '/'
}

async function find<K extends keyof EntityKinds>(
  context: ActionContext,
  entity: K,
  name: string,
): Promise<EntityKinds[K] | undefined> {
  const ref = { accountId: context.identity.accountId, name }
  const { found } = await context.registry.queryRegistry({ kind: 'find-entity', entity, ref })
  return found as EntityKinds[K] | undefined
}

/** A user by name; undefined: the caller himself, who must be a user then. */
export async function userTarget(context: ActionContext, name: string | undefined): Promise<Target<User>> {
  const { identity, registry } = context
  if (name === undefined) {
    if (identity.kind !== 'user') {
      throw new QueryError('ValidationError', 'Must specify userName when calling with non-User credentials')
    }
    const ref = { id: identity.userId }
    const { found } = await registry.queryRegistry({ kind: 'find-entity', entity: 'user', ref })
    return {
      arn: identity.arn,
      entity: found as User | undefined,
      missing: noSuchEntity('user', identity.userId),
    }
  }
  const user = await find(context, 'user', name)
  const arn = user === undefined ? `arn:aws:iam::${identity.accountId}:user/${name}` : userArn(user)
  return { arn, entity: user, missing: noSuchEntity('user', name) }
}

export async function groupTarget(context: ActionContext, name: string): Promise<Target<Group>> {
  const group = await find(context, 'group', name)
  const { accountId } = context.identity
  const arn = groupArn(group ?? { accountId, path: '/', name })
  return { arn, entity: group, missing: noSuchEntity('group', name) }
}

export async function roleTarget(context: ActionContext, name: string): Promise<Target<Role>> {
  const role = await find(context, 'role', name)
  const arn = role === undefined ? `arn:aws:iam::${context.identity.accountId}:role/${name}` : roleArn(role)
  return { arn, entity: role, missing: noSuchEntity('role', name) }
}

const policyArnPattern = /^arn:aws:iam::([^:]+):policy(\/(?:[\x21-\x7e]{0,510}\/)?)([\w+=,.@-]{1,128})$/

/** Throws ValidationError for what is no ARN of a policy. */
export function parsePolicyArn(form: QueryForm, name = 'PolicyArn'): string {
  const arn = form.required(name)
  if (!policyArnPattern.test(arn)) throw new QueryError('InvalidInput', `ARN ${arn} is not valid.`)
  return arn
}

/** A policy of the caller's account by its ARN. */
export async function policyTarget(context: ActionContext, arn: string): Promise<Target<ManagedPolicy>> {
  const [, accountId, path, name = ''] = policyArnPattern.exec(arn) ?? []
  const missing = new QueryError('NoSuchEntity', `Policy ${arn} does not exist or is not attachable.`)
  if (accountId !== context.identity.accountId) return { arn, entity: undefined, missing }
  const policy = await find(context, 'policy', name)
  return { arn, entity: policy?.path === path ? policy : undefined, missing }
}

/** The account as a whole: what lists are about. `pattern`: what policies of AWS name, for example `user/*`. */
export function accountTarget(context: ActionContext, pattern: string): Target<true> {
  return { arn: `arn:aws:iam::${context.identity.accountId}:${pattern}`, entity: true }
}

/** Who can have policies, and the parameter that names him. */
export const subjectParameters = { User: 'UserName', Group: 'GroupName', Role: 'RoleName' } as const

export type SubjectName = keyof typeof subjectParameters

/** A user, group or role as what has policies. */
export async function subjectTarget(
  context: ActionContext,
  kind: SubjectName,
  name: string,
): Promise<Target<PolicySubject>> {
  switch (kind) {
    case 'User':
      return asSubject(await userTarget(context, name), ({ userId: id }) => ({ kind: 'user', id }))
    case 'Group':
      return asSubject(await groupTarget(context, name), ({ groupId: id }) => ({ kind: 'group', id }))
    case 'Role':
      return asSubject(await roleTarget(context, name), ({ roleId: id }) => ({ kind: 'role', id }))
  }
}

function asSubject<T>(target: Target<T>, subject: (entity: T) => PolicySubject): Target<PolicySubject> {
  return { ...target, entity: target.entity === undefined ? undefined : subject(target.entity) }
}

/** `RoleName` or `UserName` and the like of something that exists. Throws ValidationError. */
export function existingName(form: QueryForm, parameter: string): string {
  const name = form.required(parameter)
  if (!namePattern.test(name)) throw invalidParameter(parameter, name, 'the form of a name')
  return name
}
