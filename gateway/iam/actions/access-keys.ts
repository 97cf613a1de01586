/**
 * Access keys: CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey.
 * Invariant: a secret is in one answer, sealed in the registry, and nowhere else.
 */
import type { Credential, User } from '../../../node/core/registry-types.ts'
import { accountOf } from '../../auth/identity.ts'
import { credentialContext } from '../../registry-credentials.ts'
import { element, wrap } from '../../s3/xml.ts'
import { pageEnd, pageOf, pageRequest } from '../iam-paging.ts'
import { iamDate, members } from '../iam-xml.ts'
import { defineIamAction, newId, newSecret, type QueryAction } from '../query-action.ts'
import { userTarget } from '../targets.ts'

const keyPattern = /^[\w.-]{1,128}$/

function keyFields(user: User, key: Omit<Credential, 'sealedSecret'>, secret?: string): string {
  return [
    accountOf(user) === user.userId ? '' : element('UserName', user.name),
    element('AccessKeyId', key.accessKeyId),
    element('Status', key.state === 'active' ? 'Active' : 'Inactive'),
    element('SecretAccessKey', secret),
    element('CreateDate', iamDate(key.createdMs ?? 0)),
  ].join('')
}

const createAccessKey = defineIamAction({
  name: 'CreateAccessKey',
  decode: (form) => form.optional('UserName'),
  target: (name, context) => userTarget(context, name),
  run: async (_, user, { kms, propose, requestId, nowMs }) => {
    const accessKeyId = newId('AKIA')
    const secret = newSecret()
    const sealedSecret = await kms.wrap(Buffer.from(secret, 'utf8'), credentialContext(accessKeyId))
    const credential: Credential = {
      accessKeyId,
      userId: user.userId,
      sealedSecret,
      state: 'active',
      createdMs: nowMs,
    }
    await propose(`${requestId}-create-key`, { kind: 'create-access-key', credential })
    return wrap('AccessKey', keyFields(user, credential, secret))
  },
})

const listAccessKeys = defineIamAction({
  name: 'ListAccessKeys',
  decode: (form) => ({ name: form.optional('UserName'), request: pageRequest(form) }),
  target: ({ name }, context) => userTarget(context, name),
  run: async ({ request }, user, { registry }) => {
    const { userId } = user
    const { credentials } = await registry.queryRegistry({ kind: 'list-access-keys', userId })
    const { page, next } = pageOf(credentials, request, (key) => key.accessKeyId)
    return (
      members(
        'AccessKeyMetadata',
        page.map((key) => keyFields(user, key)),
      ) + pageEnd(next)
    )
  },
})

const updateAccessKey = defineIamAction({
  name: 'UpdateAccessKey',
  decode: (form) => ({
    name: form.optional('UserName'),
    accessKeyId: form.requiredMatching('AccessKeyId', keyPattern),
    state: form.requiredMatching('Status', /^(Active|Inactive)$/),
  }),
  target: ({ name }, context) => userTarget(context, name),
  run: async ({ accessKeyId, state: status }, { userId }, { propose, requestId }) => {
    const state = status === 'Active' ? 'active' : 'disabled'
    await propose(`${requestId}-key-state`, { kind: 'set-access-key-state', userId, accessKeyId, state })
    return undefined
  },
})

const deleteAccessKey = defineIamAction({
  name: 'DeleteAccessKey',
  decode: (form) => ({
    name: form.optional('UserName'),
    accessKeyId: form.requiredMatching('AccessKeyId', keyPattern),
  }),
  target: ({ name }, context) => userTarget(context, name),
  run: async ({ accessKeyId }, { userId }, { propose, requestId }) => {
    await propose(`${requestId}-delete-key`, { kind: 'delete-access-key', userId, accessKeyId })
    return undefined
  },
})

export const accessKeyActions: readonly QueryAction[] = [
  createAccessKey,
  listAccessKeys,
  updateAccessKey,
  deleteAccessKey,
]
