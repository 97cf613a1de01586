/**
 * What well-formed commands and queries about access look like. Names are IAM's; policies are bounded text.
 */
import { accessLimits } from './access-rows.ts'
import type { AccessCommand, AccessQuery } from './access-types.ts'
import { bytes, either, integer, list, matching, oneOf, record, type Shape, text, union } from './shape.ts'

/** Ids that become parts of row keys: no slash, no control characters. */
export const entityId = matching(/^[A-Za-z0-9._@+-]{1,128}$/)
export const keyId = matching(/^[A-Za-z0-9._-]{1,128}$/)

/** AWS: names of users, groups, roles and policies. */
const name = matching(/^[A-Za-z0-9_+=,.@-]{1,128}$/)
const path = matching(/^\/(?:[\x21-\x7e]{0,510}\/)?$/)
const time = integer(0, 8.64e15)
const document = text(accessLimits.documentBytesMax)
const arn = text(2048)
const nothing: Shape = (value) => (value === null ? undefined : 'is not null')
const state = oneOf('active', 'disabled')
const entity = oneOf('user', 'group', 'role', 'policy')
/** Host, port and path, without scheme. */
const providerUrl = matching(/^[\x21-\x7e]{1,255}$/)
const scheme = oneOf('https', 'http')
const keySet = text(accessLimits.keySetBytesMax)
const clientId = text(255)
const thumbprint = matching(/^[0-9A-Za-z]{40}$/)
const thumbprints = list(thumbprint, { max: accessLimits.thumbprintsMax })
const tags = list(record({ key: text(512), value: text(1024) }), { max: accessLimits.tagsMax })
const seconds = integer(900, 43_200)
const description = text(accessLimits.descriptionBytesMax)
const sealed = bytes(4096)

/** `User`. The names of those whom operators register may be any text. */
export const userShape: Shape = record(
  { userId: entityId, name: text(256) },
  {
    accountId: entityId,
    path,
    email: matching(/^[\x21-\x7e]{1,320}$/),
    createdMs: time,
    tags,
    boundary: arn,
    state,
  },
)

const credentialShape = record(
  { accessKeyId: keyId, userId: entityId, sealedSecret: sealed, state },
  { createdMs: time },
)

const named = { accountId: entityId, name, path, createdMs: time }
const group = record({ ...named, groupId: entityId })
const role = record(
  { ...named, roleId: entityId, trustPolicy: document, maxSessionSeconds: seconds },
  { description, boundary: arn, tags },
)
const versionId = matching(/^v[1-9][0-9]{0,8}$/)
const policy = record(
  {
    ...named,
    policyId: entityId,
    updatedMs: time,
    versions: list(record({ versionId, document, createdMs: time }), { min: 1, max: 1 }),
    defaultVersionId: versionId,
    nextVersion: integer(2, 2),
    attachments: integer(0, 0),
    boundaries: integer(0, 0),
  },
  { description },
)
const policyChange = union({
  add: record({ document, isDefault: oneOf(true, false), nowMs: time }),
  remove: record({ versionId }),
  'set-default': record({ versionId, nowMs: time }),
})
const subject = record({ kind: oneOf('user', 'group', 'role'), id: entityId })
const provider = record(
  {
    accountId: entityId,
    url: providerUrl,
    scheme,
    createdMs: time,
    clientIds: list(clientId, { max: accessLimits.clientIdsMax }),
    thumbprints,
  },
  { keySet },
)
const boundary = either(nothing, arn)

const changes: Readonly<Record<AccessCommand['kind'], Shape>> = {
  'create-user': record({ user: userShape }),
  'update-user': record({ userId: entityId, change: record({}, { name, path, boundary, tags, state }) }),
  'delete-user': record({ userId: entityId }),
  'create-access-key': record({ credential: credentialShape }),
  'set-access-key-state': record({ userId: entityId, accessKeyId: keyId, state }),
  'delete-access-key': record({ userId: entityId, accessKeyId: keyId }),
  'create-group': record({ group }),
  'update-group': record({ groupId: entityId, change: record({}, { name, path }) }),
  'delete-group': record({ groupId: entityId }),
  'set-group-member': record({ groupId: entityId, userId: entityId, member: oneOf(true, false) }),
  'create-role': record({ role }),
  'update-role': record({
    roleId: entityId,
    change: record({}, { trustPolicy: document, description, maxSessionSeconds: seconds, boundary, tags }),
  }),
  'delete-role': record({ roleId: entityId }),
  'create-policy': record({ policy }),
  'change-policy': record({ policyId: entityId, change: policyChange }),
  'delete-policy': record({ policyId: entityId }),
  'put-inline-policy': record({ subject, name, document }),
  'delete-inline-policy': record({ subject, name: text(512) }),
  'set-policy-attachment': record({ subject, policyArn: arn, attached: oneOf(true, false) }),
  'create-oidc-provider': record({ provider }),
  'update-oidc-provider': record({
    accountId: entityId,
    url: providerUrl,
    change: record({}, { addClientId: clientId, removeClientId: clientId, thumbprints, keySet }),
  }),
  'delete-oidc-provider': record({ accountId: entityId, url: providerUrl }),
  'put-session-key': record({
    key: record({ keyId, wrappedKey: sealed, createdMs: time }),
    retireBeforeMs: time,
  }),
}

const attributed = record({}, { by: text(2048) })

/** Every command, whoever asked for it. */
export const accessCommands = Object.fromEntries(
  Object.entries(changes).map(([kind, shape]): [string, Shape] => [
    kind,
    (value) => shape(value) ?? attributed(value),
  ]),
) as Readonly<Record<AccessCommand['kind'], Shape>>

const limit = integer(1, accessLimits.pageMax)
const ref = either(record({ id: text(1024) }), record({ accountId: text(1024), name: text(1024) }))

export const accessQueries: Readonly<Record<AccessQuery['kind'], Shape>> = {
  'access-key': record({ accessKeyId: text(1024) }),
  'user-access': record({ userId: text(1024) }),
  'role-access': record({ roleId: text(1024) }),
  'find-entity': record({ entity, ref }),
  'list-entities': record({
    entity,
    accountId: entityId,
    pathPrefix: text(512),
    after: text(512),
    limit,
  }),
  'list-access-keys': record({ userId: text(1024) }),
  'list-subject-policies': record({ subject }),
  'list-group-members': record({ groupId: entityId, after: text(512), limit }),
  'list-groups-of-user': record({ userId: text(1024) }),
  'oidc-providers': record({ accountId: entityId }, { url: text(1024) }),
  'account-counts': record({ accountId: text(1024) }),
  'session-keys': record({}),
  'find-account': record({}, { email: text(320), accountId: text(1024) }),
}
