/** Users: CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser, and their permissions boundaries. */

import { builtInPrefix } from '../../../node/core/access-types.ts'
import type { User } from '../../../node/core/registry-types.ts'
import { element, wrap } from '../../s3/xml.ts'
import { builtInPolicy } from '../built-in-policies.ts'
import { pageEnd, pageRequest } from '../iam-paging.ts'
import { members, userFields } from '../iam-xml.ts'
import { defineIamAction, newId, type QueryAction } from '../query-action.ts'
import { QueryError } from '../query-error.ts'
import type { QueryForm } from '../query-form.ts'
import {
  accountTarget,
  existingName,
  parsePolicyArn,
  pathOf,
  pathPrefixOf,
  shortNamePattern,
  userTarget,
} from '../targets.ts'

/** A boundary that is asked for: an ARN of the account or a built-in one. Throws NoSuchEntity. */
export function boundaryOf(form: QueryForm): string | undefined {
  if (form.optional('PermissionsBoundary') === undefined) return undefined
  const arn = parsePolicyArn(form, 'PermissionsBoundary')
  requireKnown(arn)
  return arn
}

/** Built-in policies are ours to know; those of the account are the registry's to find. */
export function requireKnown(arn: string): void {
  if (!arn.startsWith(builtInPrefix) || builtInPolicy(arn) !== undefined) return
  throw new QueryError('NoSuchEntity', `Policy ${arn} does not exist or is not attachable.`)
}

/** A context key by which policies demand boundaries. */
export function boundaryKey(arn: string | undefined): Record<string, readonly string[]> {
  return arn === undefined ? {} : { 'iam:permissionsboundary': [arn] }
}

const createUser = defineIamAction({
  name: 'CreateUser',
  decode: (form) => ({
    name: form.requiredMatching('UserName', shortNamePattern),
    path: pathOf(form) ?? '/',
    boundary: boundaryOf(form),
    tags: form.tags(),
  }),
  target: ({ name, path, boundary }, { identity }) => ({
    arn: `arn:aws:iam::${identity.accountId}:user${path}${name}`,
    entity: true,
    contextKeys: boundaryKey(boundary),
  }),
  run: async ({ name, path, boundary, tags }, _, { identity, propose, requestId, nowMs }) => {
    const user: User = {
      userId: newId('AIDA'),
      name,
      accountId: identity.accountId,
      path,
      createdMs: nowMs,
      ...(boundary === undefined ? {} : { boundary }),
      ...(tags.length === 0 ? {} : { tags }),
    }
    await propose(`${requestId}-create-user`, { kind: 'create-user', user })
    return wrap('User', userFields(user))
  },
})

const getUser = defineIamAction({
  name: 'GetUser',
  decode: (form) => form.optional('UserName'),
  target: (name, context) => userTarget(context, name),
  run: (_, user) => wrap('User', userFields(user)),
})

const listUsers = defineIamAction({
  name: 'ListUsers',
  decode: (form) => ({ ...pageRequest(form), pathPrefix: pathPrefixOf(form) }),
  target: ({ pathPrefix }, context) => accountTarget(context, `user${pathPrefix}`),
  run: async (page, _, { identity, registry }) => {
    const { found, next } = await registry.queryRegistry({
      kind: 'list-entities',
      entity: 'user',
      accountId: identity.accountId,
      ...page,
    })
    // Lists of IAM show neither tags nor boundaries.
    const users = (found as readonly User[]).map(({ tags: _tags, boundary: _boundary, ...user }) => user)
    return members('Users', users.map(userFields)) + pageEnd(next)
  },
})

const updateUser = defineIamAction({
  name: 'UpdateUser',
  decode: (form) => ({
    current: existingName(form, 'UserName'),
    name: form.matching('NewUserName', shortNamePattern),
    path: pathOf(form, 'NewPath'),
  }),
  target: ({ current }, context) => userTarget(context, current),
  run: async ({ name, path }, { userId }, { propose, requestId }) => {
    const change = { ...(name === undefined ? {} : { name }), ...(path === undefined ? {} : { path }) }
    await propose(`${requestId}-update-user`, { kind: 'update-user', userId, change })
    return undefined
  },
})

const deleteUser = defineIamAction({
  name: 'DeleteUser',
  decode: (form) => existingName(form, 'UserName'),
  target: (name, context) => userTarget(context, name),
  run: async (_, { userId }, { propose, requestId }) => {
    await propose(`${requestId}-delete-user`, { kind: 'delete-user', userId })
    return undefined
  },
})

const putUserPermissionsBoundary = defineIamAction({
  name: 'PutUserPermissionsBoundary',
  decode: (form) => {
    form.required('PermissionsBoundary')
    return { name: existingName(form, 'UserName'), boundary: boundaryOf(form) }
  },
  target: async ({ name, boundary }, context) => ({
    ...(await userTarget(context, name)),
    contextKeys: boundaryKey(boundary),
  }),
  run: async ({ boundary }, { userId }, { propose, requestId }) => {
    const change = boundary === undefined ? {} : { boundary }
    await propose(`${requestId}-user-boundary`, { kind: 'update-user', userId, change })
    return undefined
  },
})

const deleteUserPermissionsBoundary = defineIamAction({
  name: 'DeleteUserPermissionsBoundary',
  decode: (form) => existingName(form, 'UserName'),
  target: async (name, context) => {
    const found = await userTarget(context, name)
    return { ...found, contextKeys: boundaryKey(found.entity?.boundary) }
  },
  run: async (_, { userId }, { propose, requestId }) => {
    await propose(`${requestId}-user-boundary`, { kind: 'update-user', userId, change: { boundary: null } })
    return undefined
  },
})

const listUserTags = defineIamAction({
  name: 'ListUserTags',
  decode: (form) => existingName(form, 'UserName'),
  target: (name, context) => userTarget(context, name),
  run: (_, { tags = [] }) =>
    members(
      'Tags',
      tags.map(({ key, value }) => element('Key', key) + element('Value', value)),
    ) + pageEnd(undefined),
})

export const userActions: readonly QueryAction[] = [
  createUser,
  getUser,
  listUsers,
  updateUser,
  deleteUser,
  putUserPermissionsBoundary,
  deleteUserPermissionsBoundary,
  listUserTags,
]
