/**
 * What a journal records of commands about access: who may do what, since when. Never a secret, and of policies their
 * hash: the record proves which text was in force without repeating it.
 */
import type { AccessCommand } from './access-types.ts'

type Fields = Record<string, unknown>

/** The fields of a command. A kind that this version does not know has none. */
export function accessFields(command: AccessCommand, textSha256: (text: string) => string): Fields {
  return { ...changeFields(command, textSha256), ...present({ by: command.by }) }
}

function changeFields(command: AccessCommand, textSha256: (text: string) => string): Fields {
  switch (command.kind) {
    case 'create-user': {
      const { userId, name, accountId, path, createdMs } = command.user
      return { userId, name, ...present({ accountId, path, timeMs: createdMs }) }
    }
    case 'update-user': {
      const { name, path, state, boundary } = command.change
      return { userId: command.userId, ...present({ name, path, state }), ...boundaryField(boundary) }
    }
    case 'delete-user':
      return { userId: command.userId }
    case 'create-access-key': {
      const { accessKeyId, userId, createdMs } = command.credential
      return { userId, accessKeyId, ...present({ timeMs: createdMs }) }
    }
    case 'set-access-key-state':
      return { userId: command.userId, accessKeyId: command.accessKeyId, state: command.state }
    case 'delete-access-key':
      return { userId: command.userId, accessKeyId: command.accessKeyId }
    case 'create-group': {
      const { groupId, accountId, name, path, createdMs } = command.group
      return { groupId, accountId, name, path, timeMs: createdMs }
    }
    case 'update-group':
      return {
        groupId: command.groupId,
        ...present({ name: command.change.name, path: command.change.path }),
      }
    case 'delete-group':
      return { groupId: command.groupId }
    case 'set-group-member':
      return { groupId: command.groupId, userId: command.userId, member: command.member }
    case 'create-role': {
      const { roleId, accountId, name, path, createdMs, trustPolicy, boundary } = command.role
      const trustPolicySha256 = textSha256(trustPolicy)
      return { roleId, accountId, name, path, trustPolicySha256, ...present({ boundary }), timeMs: createdMs }
    }
    case 'update-role': {
      const { trustPolicy, maxSessionSeconds, boundary } = command.change
      const trustPolicySha256 = trustPolicy === undefined ? undefined : textSha256(trustPolicy)
      const fields = present({ trustPolicySha256, maxSessionSeconds })
      return { roleId: command.roleId, ...fields, ...boundaryField(boundary) }
    }
    case 'delete-role':
      return { roleId: command.roleId }
    default:
      return policyFields(command, textSha256)
  }
}

function policyFields(
  command: Exclude<AccessCommand, { kind: `${string}-user` | `${string}-group` | `${string}-role` }>,
  textSha256: (text: string) => string,
): Fields {
  switch (command.kind) {
    case 'create-policy': {
      const { policyId, accountId, name, path, createdMs, versions } = command.policy
      const documentSha256 = textSha256(versions[0]?.document ?? '')
      return { policyId, accountId, name, path, documentSha256, timeMs: createdMs }
    }
    case 'change-policy': {
      const { policyId, change } = command
      if (change.kind !== 'add') return { policyId, change: change.kind, versionId: change.versionId }
      const documentSha256 = textSha256(change.document)
      return { policyId, change: change.kind, documentSha256, isDefault: change.isDefault }
    }
    case 'delete-policy':
      return { policyId: command.policyId }
    case 'put-inline-policy': {
      const { subject, name, document } = command
      return { subject: `${subject.kind}/${subject.id}`, name, documentSha256: textSha256(document) }
    }
    case 'delete-inline-policy':
      return { subject: `${command.subject.kind}/${command.subject.id}`, name: command.name }
    case 'set-policy-attachment': {
      const { subject, policyArn, attached } = command
      return { subject: `${subject.kind}/${subject.id}`, policyArn, attached }
    }
    case 'create-oidc-provider': {
      const { accountId, url, scheme, clientIds, keySet, createdMs } = command.provider
      const keySetSha256 = keySet === undefined ? undefined : textSha256(keySet)
      return {
        accountId,
        url,
        scheme,
        clientIds: [...clientIds],
        ...present({ keySetSha256 }),
        timeMs: createdMs,
      }
    }
    case 'update-oidc-provider': {
      const { addClientId, removeClientId, keySet } = command.change
      const keySetSha256 = keySet === undefined ? undefined : textSha256(keySet)
      const fields = present({ addClientId, removeClientId, keySetSha256 })
      return { accountId: command.accountId, url: command.url, ...fields }
    }
    case 'delete-oidc-provider':
      return { accountId: command.accountId, url: command.url }
    case 'put-session-key':
      return { keyId: command.key.keyId, timeMs: command.key.createdMs }
    default:
      return {}
  }
}

function present(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** A boundary that is taken away is recorded as null. */
function boundaryField(boundary: string | null | undefined): Fields {
  return boundary === undefined ? {} : { boundary }
}
