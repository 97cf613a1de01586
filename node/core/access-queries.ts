/**
 * Reads about access: who a key or a session belongs to and what he is judged by, and what IAM lists.
 */
import {
  type AccountRow,
  accessRowKeys,
  type GroupRow,
  type NameRow,
  noCounts,
  noPolicies,
  type PolicyRow,
  type ProviderRow,
  policyArn,
  type RoleRow,
  type SessionKeysRow,
} from './access-rows.ts'
import {
  type AccessAnswers,
  type AccessQuery,
  builtInPrefix,
  type EffectivePolicies,
  type EntityKinds,
  type EntityRef,
  type OidcProvider,
  type PolicySubject,
  type SubjectPolicies,
} from './access-types.ts'
import { accountOfUser } from './access-users.ts'
import { prefixEnd } from './byte-order.ts'
import { type CredentialRow, type EmailRow, registryKeys, type UserRow } from './registry-rows.ts'
import type { Credential, User } from './registry-types.ts'
import { decodeRow } from './row-codec.ts'
import type { RowReader, RowSource } from './rows.ts'

type Query<K extends AccessQuery['kind']> = Extract<AccessQuery, { kind: K }>

/** Answers a well-formed query. */
export async function answerAccessQuery(
  source: RowSource,
  query: AccessQuery,
): Promise<AccessAnswers[AccessQuery['kind']]> {
  switch (query.kind) {
    case 'access-key': {
      const credential = read<CredentialRow>(source, registryKeys.credential(query.accessKeyId))?.credential
      if (credential === undefined) return { credential, user: undefined, policies: undefined }
      return { credential, ...userAccess(source, credential.userId) }
    }
    case 'user-access':
      return userAccess(source, query.userId)
    case 'role-access':
      return roleAccess(source, query.roleId)
    case 'find-entity':
      return { found: findEntity(source, query.entity, query.ref) }
    case 'list-entities':
      return listEntities(source, query)
    case 'list-access-keys':
      return { credentials: keysOf(source, query.userId) }
    case 'list-subject-policies':
      return { policies: policiesOf(source, query.subject) }
    case 'list-group-members':
      return listMembers(source, query)
    case 'list-groups-of-user':
      return { groups: groupsOf(source, query.userId).map((row) => row.group) }
    case 'oidc-providers':
      return { providers: await providersOf(source, query) }
    case 'account-counts': {
      const row = read<AccountRow>(source, accessRowKeys.account(query.accountId))
      return { counts: row?.counts ?? noCounts }
    }
    case 'session-keys':
      return { keys: read<SessionKeysRow>(source, accessRowKeys.sessionKeys)?.keys ?? [] }
    case 'find-account':
      return { root: findRoot(source, query) }
  }
}

function userAccess(source: RowReader, userId: string): AccessAnswers['user-access'] {
  const row = read<UserRow>(source, registryKeys.user(userId))
  if (row === undefined) return { user: undefined, policies: undefined }
  const accountId = accountOfUser(row.user)
  const groups = (row.groups ?? []).flatMap((id) => read<GroupRow>(source, accessRowKeys.group(id)) ?? [])
  const subjects = [row.policies ?? noPolicies, ...groups.map((group) => group.policies)]
  return { user: row.user, policies: effective(source, { accountId, subjects, boundary: row.user.boundary }) }
}

function roleAccess(source: RowReader, roleId: string): AccessAnswers['role-access'] {
  const row = read<RoleRow>(source, accessRowKeys.role(roleId))
  if (row === undefined) return { role: undefined, policies: undefined }
  const { accountId, boundary } = row.role
  return { role: row.role, policies: effective(source, { accountId, subjects: [row.policies], boundary }) }
}

function effective(
  source: RowReader,
  of: { accountId: string; subjects: readonly SubjectPolicies[]; boundary: string | undefined },
): EffectivePolicies {
  const attached = [...new Set(of.subjects.flatMap((subject) => subject.attached))]
  const managed = attached.filter((arn) => !arn.startsWith(builtInPrefix))
  return {
    documents: [
      ...of.subjects.flatMap((subject) => subject.inline.map((policy) => policy.document)),
      ...managed.map((arn) => documentOf(source, of.accountId, arn)),
    ],
    builtIn: attached.filter((arn) => arn.startsWith(builtInPrefix)),
    boundary: boundaryOf(source, of.accountId, of.boundary),
  }
}

function boundaryOf(
  source: RowReader,
  accountId: string,
  arn: string | undefined,
): EffectivePolicies['boundary'] {
  if (arn === undefined) return undefined
  if (arn.startsWith(builtInPrefix)) return { builtIn: arn }
  return { document: documentOf(source, accountId, arn) }
}

/** Text of the default version. `''`, which no gateway can read and which therefore denies, when it is not there. */
function documentOf(source: RowReader, accountId: string, arn: string): string {
  const policy = findEntity(source, 'policy', { accountId, name: arn.slice(arn.lastIndexOf('/') + 1) })
  if (policy === undefined || policyArn(policy) !== arn) return ''
  return policy.versions.find((version) => version.versionId === policy.defaultVersionId)?.document ?? ''
}

function findEntity<K extends keyof EntityKinds>(
  source: RowReader,
  entity: K,
  ref: EntityRef,
): EntityKinds[K] | undefined
function findEntity(
  source: RowReader,
  entity: keyof EntityKinds,
  ref: EntityRef,
): EntityKinds[keyof EntityKinds] | undefined {
  const id =
    'id' in ref ? ref.id : read<NameRow>(source, accessRowKeys.named(entity, ref.accountId, ref.name))?.id
  if (id === undefined) return undefined
  switch (entity) {
    case 'user':
      return read<UserRow>(source, registryKeys.user(id))?.user
    case 'group':
      return read<GroupRow>(source, accessRowKeys.group(id))?.group
    case 'role':
      return read<RoleRow>(source, accessRowKeys.role(id))?.role
    case 'policy':
      return read<PolicyRow>(source, accessRowKeys.policy(id))?.policy
  }
}

async function listEntities(
  source: RowSource,
  query: Query<'list-entities'>,
): Promise<AccessAnswers['list-entities']> {
  const { entity, accountId, after, pathPrefix } = query
  const family = accessRowKeys.named(entity, accountId, '')
  const gte = after === '' ? family : `${accessRowKeys.named(entity, accountId, after)}\u0000`
  const found: EntityKinds[keyof EntityKinds][] = []
  let last = ''
  // Bounded by the number of entities that an account may have.
  for await (const row of source.scan({ gte, lt: prefixEnd(family) })) {
    if (found.length >= query.limit) return { found, next: last }
    const { id } = decodeRow<NameRow>(row.value)
    const one = findEntity(source, entity, { id })
    if (one !== undefined && (one.path ?? '/').startsWith(pathPrefix)) found.push(withoutDocuments(one))
    last = row.key.slice(family.length)
  }
  return { found, next: undefined }
}

/** A policy is listed without its text. */
function withoutDocuments(entity: EntityKinds[keyof EntityKinds]): EntityKinds[keyof EntityKinds] {
  return 'versions' in entity ? { ...entity, versions: [] } : entity
}

function keysOf(source: RowReader, userId: string): Omit<Credential, 'sealedSecret'>[] {
  const ids = read<UserRow>(source, registryKeys.user(userId))?.keys ?? []
  return ids.flatMap((id) => {
    const credential = read<CredentialRow>(source, registryKeys.credential(id))?.credential
    if (credential === undefined) return []
    const { sealedSecret: _, ...rest } = credential
    return [rest]
  })
}

function policiesOf(source: RowReader, { kind, id }: PolicySubject): SubjectPolicies | undefined {
  switch (kind) {
    case 'user': {
      const row = read<UserRow>(source, registryKeys.user(id))
      return row === undefined ? undefined : (row.policies ?? noPolicies)
    }
    case 'group':
      return read<GroupRow>(source, accessRowKeys.group(id))?.policies
    case 'role':
      return read<RoleRow>(source, accessRowKeys.role(id))?.policies
  }
}

/** By user id: names may change between two pages. */
async function listMembers(
  source: RowSource,
  query: Query<'list-group-members'>,
): Promise<AccessAnswers['list-group-members']> {
  const family = accessRowKeys.member(query.groupId, '')
  const gte = query.after === '' ? family : `${family}${query.after}\u0000`
  const users: User[] = []
  let last = ''
  for await (const row of source.scan({ gte, lt: prefixEnd(family), limit: query.limit + 1 })) {
    if (users.length >= query.limit) return { users, next: last }
    last = row.key.slice(family.length)
    const user = read<UserRow>(source, registryKeys.user(last))?.user
    if (user !== undefined) users.push(user)
  }
  return { users, next: undefined }
}

function groupsOf(source: RowReader, userId: string): readonly GroupRow[] {
  const ids = read<UserRow>(source, registryKeys.user(userId))?.groups ?? []
  return ids.flatMap((id) => read<GroupRow>(source, accessRowKeys.group(id)) ?? [])
}

async function providersOf(source: RowSource, query: Query<'oidc-providers'>): Promise<OidcProvider[]> {
  const family = accessRowKeys.provider(query.accountId, '')
  if (query.url !== undefined) {
    const provider = read<ProviderRow>(source, `${family}${query.url}`)?.provider
    return provider === undefined ? [] : [provider]
  }
  const providers: OidcProvider[] = []
  for await (const row of source.scan({ gte: family, lt: prefixEnd(family) })) {
    providers.push(decodeRow<ProviderRow>(row.value).provider)
  }
  return providers
}

function findRoot(source: RowReader, query: Query<'find-account'>): User | undefined {
  const { email } = query
  const byEmail =
    email === undefined ? undefined : read<EmailRow>(source, registryKeys.email(email))?.accountId
  const accountId = query.accountId ?? byEmail
  const user = accountId === undefined ? undefined : read<UserRow>(source, registryKeys.user(accountId))?.user
  return user !== undefined && accountOfUser(user) === user.userId ? user : undefined
}

function read<T extends object>(rows: RowReader, key: string): T | undefined {
  const value = rows.get(key)
  return value === undefined ? undefined : decodeRow<T>(value)
}
