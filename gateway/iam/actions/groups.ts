/** Groups and who is in them. */
import type { Group } from '../../../node/core/access-types.ts'
import { wrap } from '../../s3/xml.ts'
import { pageEnd, pageOf, pageRequest } from '../iam-paging.ts'
import { groupArn, groupFields, members, userFields } from '../iam-xml.ts'
import { defineIamAction, newId, type QueryAction } from '../query-action.ts'
import {
  accountTarget,
  existingName,
  groupTarget,
  namePattern,
  pathOf,
  pathPrefixOf,
  userTarget,
} from '../targets.ts'

const createGroup = defineIamAction({
  name: 'CreateGroup',
  decode: (form) => ({ name: form.requiredMatching('GroupName', namePattern), path: pathOf(form) ?? '/' }),
  target: (input, { identity }) => ({
    arn: groupArn({ accountId: identity.accountId, ...input }),
    entity: true,
  }),
  run: async (input, _, { identity, propose, requestId, nowMs }) => {
    const { accountId } = identity
    const group: Group = { groupId: newId('AGPA'), accountId, ...input, createdMs: nowMs }
    await propose(`${requestId}-create-group`, { kind: 'create-group', group })
    return wrap('Group', groupFields(group))
  },
})

const getGroup = defineIamAction({
  name: 'GetGroup',
  decode: (form) => ({ name: existingName(form, 'GroupName'), page: pageRequest(form) }),
  target: ({ name }, context) => groupTarget(context, name),
  run: async ({ page }, group, { registry }) => {
    const { groupId } = group
    const { users, next } = await registry.queryRegistry({ kind: 'list-group-members', groupId, ...page })
    return wrap('Group', groupFields(group)) + members('Users', users.map(userFields)) + pageEnd(next)
  },
})

const listGroups = defineIamAction({
  name: 'ListGroups',
  decode: (form) => ({ ...pageRequest(form), pathPrefix: pathPrefixOf(form) }),
  target: ({ pathPrefix }, context) => accountTarget(context, `group${pathPrefix}`),
  run: async (page, _, { identity, registry }) => {
    const { accountId } = identity
    const query = { kind: 'list-entities', entity: 'group', accountId, ...page } as const
    const { found, next } = await registry.queryRegistry(query)
    return members('Groups', (found as readonly Group[]).map(groupFields)) + pageEnd(next)
  },
})

const updateGroup = defineIamAction({
  name: 'UpdateGroup',
  decode: (form) => ({
    current: existingName(form, 'GroupName'),
    name: form.matching('NewGroupName', namePattern),
    path: pathOf(form, 'NewPath'),
  }),
  target: ({ current }, context) => groupTarget(context, current),
  run: async ({ name, path }, { groupId }, { propose, requestId }) => {
    const change = { ...(name === undefined ? {} : { name }), ...(path === undefined ? {} : { path }) }
    await propose(`${requestId}-update-group`, { kind: 'update-group', groupId, change })
    return undefined
  },
})

const deleteGroup = defineIamAction({
  name: 'DeleteGroup',
  decode: (form) => existingName(form, 'GroupName'),
  target: (name, context) => groupTarget(context, name),
  run: async (_, { groupId }, { propose, requestId }) => {
    await propose(`${requestId}-delete-group`, { kind: 'delete-group', groupId })
    return undefined
  },
})

/** AWS authorises both of these by the group. */
function membership(name: 'AddUserToGroup' | 'RemoveUserFromGroup', member: boolean): QueryAction {
  return defineIamAction({
    name,
    decode: (form) => ({ group: existingName(form, 'GroupName'), user: existingName(form, 'UserName') }),
    target: ({ group }, context) => groupTarget(context, group),
    run: async ({ user: userName }, { groupId }, context) => {
      const { entity: user, missing } = await userTarget(context, userName)
      if (user === undefined) throw missing
      const { userId } = user
      await context.propose(`${context.requestId}-member`, {
        kind: 'set-group-member',
        groupId,
        userId,
        member,
      })
      return undefined
    },
  })
}

const listGroupsForUser = defineIamAction({
  name: 'ListGroupsForUser',
  decode: (form) => ({ name: existingName(form, 'UserName'), request: pageRequest(form) }),
  target: ({ name }, context) => userTarget(context, name),
  run: async ({ request }, { userId }, { registry }) => {
    const { groups } = await registry.queryRegistry({ kind: 'list-groups-of-user', userId })
    const { page, next } = pageOf(groups, request, (group) => group.name.toLowerCase())
    return members('Groups', page.map(groupFields)) + pageEnd(next)
  },
})

export const groupActions: readonly QueryAction[] = [
  createGroup,
  getGroup,
  listGroups,
  updateGroup,
  deleteGroup,
  membership('AddUserToGroup', true),
  membership('RemoveUserFromGroup', false),
  listGroupsForUser,
]
