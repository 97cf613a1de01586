/** An account with its root, and builders of commands about access. */
import type {
  AccessCommand,
  AccessQuery,
  Group,
  ManagedPolicy,
  PolicySubject,
  Role,
} from '../../node/core/access-types.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import { openRegistry, putUser } from './registry-fixture.ts'
import type { Driver } from './row-fixture.ts'

export const account = '111122223333'
export const timeMs = 1_767_225_600_000
export const document = '{"Version":"2012-10-17","Statement":[]}'

/** A registry with the roots of two accounts; the second has the account id `444455556666`. */
export function openAccount(): Driver {
  const driver = openRegistry()
  driver.run(putUser(account, 'AKROOT'))
  driver.run(putUser('444455556666', 'AKOTHER'))
  return driver
}

export function createUser(userId: string, name: string, extra: object = {}) {
  const user = { userId, name, accountId: account, path: '/', createdMs: timeMs, ...extra }
  return { kind: 'create-user', user } as const
}

export function createKey(userId: string, accessKeyId: string) {
  const credential = {
    accessKeyId,
    userId,
    sealedSecret: Uint8Array.of(7, 8),
    state: 'active',
    createdMs: timeMs,
  } as const
  return { kind: 'create-access-key', credential } as const
}

export function createGroup(groupId: string, name: string) {
  const group: Group = { groupId, accountId: account, name, path: '/', createdMs: timeMs }
  return { kind: 'create-group', group } as const
}

export function member(groupId: string, userId: string, isMember = true) {
  return { kind: 'set-group-member', groupId, userId, member: isMember } as const
}

export function createRole(roleId: string, name: string, extra: Partial<Role> = {}) {
  const role: Role = {
    roleId,
    accountId: account,
    name,
    path: '/',
    createdMs: timeMs,
    trustPolicy: document,
    maxSessionSeconds: 3600,
    ...extra,
  }
  return { kind: 'create-role', role } as const
}

export function createPolicy(policyId: string, name: string, text = document) {
  const policy: ManagedPolicy = {
    policyId,
    accountId: account,
    name,
    path: '/',
    createdMs: timeMs,
    updatedMs: timeMs,
    versions: [{ versionId: 'v1', document: text, createdMs: timeMs }],
    defaultVersionId: 'v1',
    nextVersion: 2,
    attachments: 0,
    boundaries: 0,
  }
  return { kind: 'create-policy', policy } as const
}

export function arnOf(name: string): string {
  return `arn:aws:iam::${account}:policy/${name}`
}

export function inline(subject: PolicySubject, name: string, text = document) {
  return { kind: 'put-inline-policy', subject, name, document: text } as const
}

export function attach(subject: PolicySubject, policyArn: string, attached = true) {
  return { kind: 'set-policy-attachment', subject, policyArn, attached } as const
}

export function createProvider(url: string) {
  const provider = {
    accountId: account,
    url,
    scheme: 'https',
    createdMs: timeMs,
    clientIds: ['app'],
    thumbprints: ['a'.repeat(40)],
  } as const
  return { kind: 'create-oidc-provider', provider } as const
}

export function sessionKey(keyId: string, createdMs: number, retireBeforeMs = 0) {
  const key = { keyId, wrappedKey: Uint8Array.of(1), createdMs }
  return { kind: 'put-session-key', key, retireBeforeMs } as const
}

export const user = (id: string): PolicySubject => ({ kind: 'user', id })
export const group = (id: string): PolicySubject => ({ kind: 'group', id })
export const role = (id: string): PolicySubject => ({ kind: 'role', id })

export function ask<K extends AccessQuery['kind']>(driver: Driver, query: Extract<AccessQuery, { kind: K }>) {
  return answerRegistryQuery<K>(driver.rows, query)
}

/** Applies a command whose fields the compiler need not know. */
export function run(driver: Driver, command: AccessCommand): unknown {
  return driver.run(command)
}
