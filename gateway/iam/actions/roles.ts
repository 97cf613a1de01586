/** Roles: who may assume them is their trust policy, how long a session may last their bound. */
import type { Role, RoleChange } from '../../../node/core/access-types.ts'
import { element, wrap } from '../../s3/xml.ts'
import { pageEnd, pageRequest } from '../iam-paging.ts'
import { members, roleFields } from '../iam-xml.ts'
import { policyText } from '../policy-text.ts'
import { defineIamAction, newId, type QueryAction } from '../query-action.ts'
import type { QueryForm } from '../query-form.ts'
import {
  accountTarget,
  descriptionOf,
  existingName,
  pathOf,
  pathPrefixOf,
  roleTarget,
  shortNamePattern,
} from '../targets.ts'
import { boundaryKey, boundaryOf } from './users.ts'

const defaultSessionSeconds = 3600

function sessionSeconds(form: QueryForm): number | undefined {
  return form.integer('MaxSessionDuration', { min: 3600, max: 43_200 })
}

const createRole = defineIamAction({
  name: 'CreateRole',
  decode: (form) => ({
    name: form.requiredMatching('RoleName', shortNamePattern),
    path: pathOf(form) ?? '/',
    trustPolicy: policyText(form, 'AssumeRolePolicyDocument', 'trust'),
    maxSessionSeconds: sessionSeconds(form) ?? defaultSessionSeconds,
    description: descriptionOf(form),
    boundary: boundaryOf(form),
    tags: form.tags(),
  }),
  target: ({ name, path, boundary }, { identity }) => ({
    arn: `arn:aws:iam::${identity.accountId}:role${path}${name}`,
    entity: true,
    contextKeys: boundaryKey(boundary),
  }),
  run: async (input, _, { identity, propose, requestId, nowMs }) => {
    const { description: text, boundary, tags, ...rest } = input
    const role: Role = {
      roleId: newId('AROA'),
      accountId: identity.accountId,
      ...rest,
      createdMs: nowMs,
      ...(text === undefined ? {} : { description: text }),
      ...(boundary === undefined ? {} : { boundary }),
      ...(tags.length === 0 ? {} : { tags }),
    }
    await propose(`${requestId}-create-role`, { kind: 'create-role', role })
    return wrap('Role', roleFields(role, { whole: true }))
  },
})

const getRole = defineIamAction({
  name: 'GetRole',
  decode: (form) => existingName(form, 'RoleName'),
  target: (name, context) => roleTarget(context, name),
  run: (_, role) => wrap('Role', roleFields(role, { whole: true })),
})

const listRoles = defineIamAction({
  name: 'ListRoles',
  decode: (form) => ({ ...pageRequest(form), pathPrefix: pathPrefixOf(form) }),
  target: ({ pathPrefix }, context) => accountTarget(context, `role${pathPrefix}`),
  run: async (page, _, { identity, registry }) => {
    const { accountId } = identity
    const query = { kind: 'list-entities', entity: 'role', accountId, ...page } as const
    const { found, next } = await registry.queryRegistry(query)
    const roles = found as readonly Role[]
    return (
      members(
        'Roles',
        roles.map((role) => roleFields(role, { whole: false })),
      ) + pageEnd(next)
    )
  },
})

/** An action that changes a role and answers nothing; `result`: AWS's answer has an element for it all the same. */
function roleChange(name: string, changeOf: (form: QueryForm) => RoleChange, result?: ''): QueryAction {
  return defineIamAction({
    name,
    decode: (form) => ({ name: existingName(form, 'RoleName'), change: changeOf(form) }),
    target: async ({ name: roleName, change }, context) => {
      const found = await roleTarget(context, roleName)
      const boundary = change.boundary === null ? found.entity?.boundary : change.boundary
      return { ...found, contextKeys: boundaryKey(boundary) }
    },
    run: async ({ change }, { roleId }, { propose, requestId }) => {
      await propose(`${requestId}-update-role`, { kind: 'update-role', roleId, change })
      return result
    },
  })
}

const deleteRole = defineIamAction({
  name: 'DeleteRole',
  decode: (form) => existingName(form, 'RoleName'),
  target: (name, context) => roleTarget(context, name),
  run: async (_, { roleId }, { propose, requestId }) => {
    await propose(`${requestId}-delete-role`, { kind: 'delete-role', roleId })
    return undefined
  },
})

const listRoleTags = defineIamAction({
  name: 'ListRoleTags',
  decode: (form) => existingName(form, 'RoleName'),
  target: (name, context) => roleTarget(context, name),
  run: (_, { tags = [] }) =>
    members(
      'Tags',
      tags.map(({ key, value }) => element('Key', key) + element('Value', value)),
    ) + pageEnd(undefined),
})

export const roleActions: readonly QueryAction[] = [
  createRole,
  getRole,
  listRoles,
  deleteRole,
  listRoleTags,
  roleChange('UpdateAssumeRolePolicy', (form) => ({
    trustPolicy: policyText(form, 'PolicyDocument', 'trust'),
  })),
  roleChange(
    'UpdateRole',
    (form) => {
      const text = descriptionOf(form)
      const maxSessionSeconds = sessionSeconds(form)
      return {
        ...(text === undefined ? {} : { description: text }),
        ...(maxSessionSeconds === undefined ? {} : { maxSessionSeconds }),
      }
    },
    '',
  ),
  roleChange('PutRolePermissionsBoundary', (form) => {
    form.required('PermissionsBoundary')
    const boundary = boundaryOf(form)
    return boundary === undefined ? {} : { boundary }
  }),
  roleChange('DeleteRolePermissionsBoundary', () => ({ boundary: null })),
]
