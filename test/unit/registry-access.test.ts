import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { accessLimits } from '../../node/core/access-rows.ts'
import type { AccessAnswers, AccessCommand } from '../../node/core/access-types.ts'
import { encodeEvent } from '../../node/core/journal.ts'
import {
  account,
  arnOf,
  ask,
  attach,
  createGroup,
  createKey,
  createPolicy,
  createProvider,
  createRole,
  createUser,
  document,
  group,
  inline,
  member,
  openAccount,
  role,
  sessionKey,
  timeMs,
  user,
} from './access-fixture.ts'
import { golden } from './golden-rows.ts'
import { openRegistry, putUser } from './registry-fixture.ts'

const full = 'arn:aws:iam::aws:policy/AmazonS3FullAccess'

test('one read of an access key brings the user, his policies, those of his groups, and his boundary', async () => {
  const driver = openAccount()
  driver.run(createPolicy('ANPA1', 'Managed', '{"m":1}'))
  driver.run(createPolicy('ANPA2', 'Bound', '{"b":1}'))
  driver.run(createUser('AIDA1', 'anna', { boundary: arnOf('Bound') }))
  driver.run(createKey('AIDA1', 'AKANNA'))
  driver.run(createGroup('AGPA1', 'team'))
  driver.run(member('AGPA1', 'AIDA1'))
  driver.run(inline(user('AIDA1'), 'own', '{"u":1}'))
  driver.run(inline(group('AGPA1'), 'of-group', '{"g":1}'))
  driver.run(attach(group('AGPA1'), arnOf('Managed')))
  driver.run(attach(user('AIDA1'), full))
  const found = await ask(driver, { kind: 'access-key', accessKeyId: 'AKANNA' })
  assert.equal(found.credential?.state, 'active')
  assert.equal(found.user?.name, 'anna')
  assert.deepEqual(found.policies, {
    documents: ['{"u":1}', '{"g":1}', '{"m":1}'],
    builtIn: [full],
    boundary: { document: '{"b":1}' },
  })
  driver.run(member('AGPA1', 'AIDA1', false))
  const alone = await ask(driver, { kind: 'user-access', userId: 'AIDA1' })
  assert.deepEqual(alone.policies?.documents, ['{"u":1}'])
  const none = await ask(driver, { kind: 'access-key', accessKeyId: 'AKNONE' })
  assert.deepEqual(none, { credential: undefined, user: undefined, policies: undefined })
})

test('names are unique in their account whatever their case, and free for another account and after deletion', async () => {
  const driver = openAccount()
  driver.run(createUser('AIDA1', 'Anna'))
  assert.equal(driver.refused(createUser('AIDA2', 'aNNa')).code, 'EntityExists')
  driver.run(createUser('AIDA3', 'anna', { accountId: '444455556666' }))
  const find = (name: string) =>
    ask(driver, { kind: 'find-entity', entity: 'user', ref: { accountId: account, name } })
  assert.equal((await find('ANNA')).found?.name, 'Anna')
  driver.run({ kind: 'update-user', userId: 'AIDA1', change: { name: 'Berta' } })
  assert.equal((await find('anna')).found, undefined)
  driver.run(createUser('AIDA2', 'aNNa'))
  driver.run({ kind: 'delete-user', userId: 'AIDA2' })
  driver.run(createUser('AIDA4', 'ANNA'))
  assert.equal(
    driver.refused({ kind: 'update-user', userId: 'AIDA4', change: { name: 'berta' } }).code,
    'EntityExists',
  )
})

test('a user is not deleted while keys, groups or policies of his remain', () => {
  const driver = openAccount()
  driver.run(createUser('AIDA1', 'anna'))
  driver.run(createGroup('AGPA1', 'team'))
  const remains: [AccessCommand, AccessCommand][] = [
    [createKey('AIDA1', 'AK1'), { kind: 'delete-access-key', userId: 'AIDA1', accessKeyId: 'AK1' }],
    [member('AGPA1', 'AIDA1'), member('AGPA1', 'AIDA1', false)],
    [inline(user('AIDA1'), 'p'), { kind: 'delete-inline-policy', subject: user('AIDA1'), name: 'p' }],
    [attach(user('AIDA1'), full), attach(user('AIDA1'), full, false)],
  ]
  const remove = { kind: 'delete-user', userId: 'AIDA1' }
  for (const [make, undo] of remains) {
    driver.run(make)
    assert.equal(driver.refused(remove).code, 'DeleteConflict')
    driver.run(undo)
  }
  driver.run(remove)
  assert.equal(driver.refused(remove).code, 'NoSuchEntity')
  assert.equal(driver.refused(createKey('AIDA1', 'AK2')).code, 'NoSuchEntity')
})

test('groups and roles are not deleted while they are used; a policy while it is attached or bounds', () => {
  const driver = openAccount()
  driver.run(createUser('AIDA1', 'anna'))
  driver.run(createGroup('AGPA1', 'team'))
  driver.run(createPolicy('ANPA1', 'Managed'))
  driver.run(createRole('AROA1', 'reader', { boundary: arnOf('Managed') }))
  driver.run(member('AGPA1', 'AIDA1'))
  driver.run(attach(group('AGPA1'), arnOf('Managed')))
  driver.run(attach(role('AROA1'), full))
  assert.equal(driver.refused({ kind: 'delete-group', groupId: 'AGPA1' }).code, 'DeleteConflict')
  assert.equal(driver.refused({ kind: 'delete-role', roleId: 'AROA1' }).code, 'DeleteConflict')
  assert.equal(driver.refused({ kind: 'delete-policy', policyId: 'ANPA1' }).code, 'DeleteConflict')
  driver.run(member('AGPA1', 'AIDA1', false))
  driver.run(attach(group('AGPA1'), arnOf('Managed'), false))
  driver.run({ kind: 'delete-group', groupId: 'AGPA1' })
  assert.equal(
    driver.refused({ kind: 'delete-policy', policyId: 'ANPA1' }).code,
    'DeleteConflict',
    'a boundary',
  )
  driver.run({ kind: 'update-role', roleId: 'AROA1', change: { boundary: null } })
  driver.run({ kind: 'delete-policy', policyId: 'ANPA1' })
  driver.run(attach(role('AROA1'), full, false))
  driver.run({ kind: 'delete-role', roleId: 'AROA1' })
})

test('what is attached exists in the same account', () => {
  const driver = openAccount()
  driver.run(createUser('AIDA1', 'anna'))
  driver.run(createPolicy('ANPA1', 'Managed'))
  assert.equal(driver.refused(attach(user('AIDA1'), arnOf('Other'))).code, 'NoSuchEntity')
  const foreign = 'arn:aws:iam::444455556666:policy/Managed'
  assert.equal(driver.refused(attach(user('AIDA1'), foreign)).code, 'NoSuchEntity')
  assert.equal(driver.refused(attach(user('AIDA1'), arnOf('Managed'), false)).code, 'NoSuchEntity')
  assert.equal(driver.refused(createUser('AIDA2', 'b', { boundary: foreign })).code, 'NoSuchEntity')
  assert.equal(driver.refused(createUser('AIDA3', 'c', { accountId: '999' })).code, 'NoSuchEntity')
})

test('nobody joins a group of another account', () => {
  const driver = openAccount()
  driver.run(createGroup('AGPA1', 'team'))
  driver.run(createUser('AIDA1', 'anna', { accountId: '444455556666' }))
  assert.equal(driver.refused(member('AGPA1', 'AIDA1')).code, 'NoSuchEntity')
})

test('a root is its account: it is neither made, renamed, bounded nor deleted by commands of accounts', () => {
  const driver = openAccount()
  const own = { kind: 'update-user', userId: account, change: { name: 'other' } }
  assert.equal(driver.refused(own).code, 'BadMessage')
  assert.equal(driver.refused({ kind: 'delete-user', userId: account }).code, 'BadMessage')
  assert.equal(
    driver.refused(createUser('777788889999', 'x', { accountId: '777788889999' })).code,
    'BadMessage',
  )
  assert.equal(driver.refused(createUser('777788889999', 'x', { accountId: undefined })).code, 'BadMessage')
  assert.equal(driver.refused({ ...putUser('AIDA9', 'AKROOT') }).code, 'Forbidden')
})

test('quotas hold: keys a user, groups a user, attachments, sizes of policies, versions', () => {
  const driver = openAccount()
  driver.run(createUser('AIDA1', 'anna'))
  for (let at = 0; at < accessLimits.keysPerUserMax; at += 1) driver.run(createKey('AIDA1', `AK${at}`))
  assert.equal(driver.refused(createKey('AIDA1', 'AKMORE')).code, 'LimitExceeded')
  for (let at = 0; at <= accessLimits.groupsPerUserMax; at += 1)
    driver.run(createGroup(`AGPA${at}`, `g${at}`))
  for (let at = 0; at < accessLimits.groupsPerUserMax; at += 1) driver.run(member(`AGPA${at}`, 'AIDA1'))
  assert.equal(driver.refused(member(`AGPA${accessLimits.groupsPerUserMax}`, 'AIDA1')).code, 'LimitExceeded')
  const half = 'x'.repeat(accessLimits.inlineCharactersMax.user / 2)
  driver.run(inline(user('AIDA1'), 'a', half))
  driver.run(inline(user('AIDA1'), 'b', `${half}${' '.repeat(1000)}`))
  assert.equal(driver.refused(inline(user('AIDA1'), 'c', 'x')).code, 'LimitExceeded')
  driver.run(inline(user('AIDA1'), 'b', 'x'))
  const long = 'x'.repeat(accessLimits.managedCharactersMax + 1)
  assert.equal(driver.refused(createPolicy('ANPA1', 'long', long)).code, 'LimitExceeded')
  for (let at = 0; at < accessLimits.attachedMax; at += 1) driver.run(attach(user('AIDA1'), `${full}${at}`))
  assert.equal(driver.refused(attach(user('AIDA1'), full)).code, 'LimitExceeded')
  const trust = 'x'.repeat(accessLimits.trustCharactersMax + 1)
  assert.equal(driver.refused(createRole('AROA1', 'r', { trustPolicy: trust })).code, 'LimitExceeded')
})

test('a managed policy has versions; the default one is in force and stays', async () => {
  const driver = openAccount()
  driver.run(createPolicy('ANPA1', 'Managed', '{"v":1}'))
  driver.run(createUser('AIDA1', 'anna'))
  driver.run(attach(user('AIDA1'), arnOf('Managed')))
  const add = (text: string, isDefault: boolean) =>
    driver.run({
      kind: 'change-policy',
      policyId: 'ANPA1',
      change: { kind: 'add', document: text, isDefault, nowMs: 5 },
    })
  assert.deepEqual(add('{"v":2}', true), { versionId: 'v2' })
  const inForce = async () =>
    (await ask(driver, { kind: 'user-access', userId: 'AIDA1' })).policies?.documents
  assert.deepEqual(await inForce(), ['{"v":2}'])
  const change = (kind: string, versionId: string) => ({
    kind: 'change-policy',
    policyId: 'ANPA1',
    change: { kind, versionId, nowMs: 6 },
  })
  assert.equal(driver.refused(change('remove', 'v2')).code, 'DeleteConflict')
  assert.equal(driver.refused(change('remove', 'v9')).code, 'NoSuchEntity')
  driver.run(change('set-default', 'v1'))
  driver.run(change('remove', 'v2'))
  assert.deepEqual(await inForce(), ['{"v":1}'])
  assert.deepEqual(add('{"v":3}', false), { versionId: 'v3' })
  add('{}', false)
  add('{}', false)
  add('{}', false)
  const one = { kind: 'add', document: '{}', isDefault: false, nowMs: 7 }
  assert.equal(
    driver.refused({ kind: 'change-policy', policyId: 'ANPA1', change: one }).code,
    'LimitExceeded',
  )
})

test('lists are in the order of names, whatever their case, page by page, and by path', async () => {
  const driver = openAccount()
  for (const [id, name, path] of [
    ['AIDA1', 'Ad', '/x/w/'],
    ['AIDA2', 'ac', '/x/'],
    ['AIDA3', 'Ab', '/y/'],
    ['AIDA4', 'aa', '/x/'],
  ] as const)
    driver.run(createUser(id, name, { path }))
  const names = async (pathPrefix: string, limit: number): Promise<string[]> => {
    const all: string[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const query = {
        kind: 'list-entities' as const,
        entity: 'user' as const,
        accountId: account,
        pathPrefix,
        after,
        limit,
      }
      const page: AccessAnswers['list-entities'] = await ask<'list-entities'>(driver, query)
      assert.ok(page.found.length <= limit)
      all.push(...page.found.map((each) => each.name))
      after = page.next
    }
    return all
  }
  assert.deepEqual(await names('/', 100), ['aa', 'Ab', 'ac', 'Ad'])
  assert.deepEqual(await names('/', 1), ['aa', 'Ab', 'ac', 'Ad'])
  assert.deepEqual(await names('/x', 1), ['aa', 'ac', 'Ad'])
  assert.deepEqual(await names('/z', 1), [])
  const { counts } = await ask(driver, { kind: 'account-counts', accountId: account })
  assert.deepEqual(counts, { user: 4, group: 0, role: 0, policy: 0, provider: 0 })
})

test('keys are listed without their secrets, those that operators registered among them', async () => {
  const driver = openAccount()
  driver.run(createKey(account, 'AKMORE'))
  driver.run({ kind: 'set-access-key-state', userId: account, accessKeyId: 'AKMORE', state: 'disabled' })
  const { credentials } = await ask(driver, { kind: 'list-access-keys', userId: account })
  assert.deepEqual(
    credentials.map(({ accessKeyId, state }) => [accessKeyId, state]),
    [
      ['AKROOT', 'active'],
      ['AKMORE', 'disabled'],
    ],
  )
  assert.ok(credentials.every((each) => !('sealedSecret' in each)))
  const stranger = { kind: 'delete-access-key', userId: account, accessKeyId: 'AKOTHER' }
  assert.equal(driver.refused(stranger).code, 'NoSuchEntity')
  driver.run({ ...stranger, accessKeyId: 'AKMORE' })
  assert.equal(driver.refused({ ...stranger, accessKeyId: 'AKMORE' }).code, 'NoSuchEntity')
})

test('an operator registers a user of an account under a name that is free there, and an e-mail address once', async () => {
  const driver = openAccount()
  const register = (userId: string, accessKeyId: string, extra: object) => {
    const command = putUser(userId, accessKeyId)
    return { ...command, user: { ...command.user, ...extra } }
  }
  driver.run(register('AIDA1', 'AK1', { name: 'anna', accountId: account }))
  driver.run(register('AIDA1', 'AK2', { name: 'anna', accountId: account }))
  assert.equal(
    driver.refused(register('AIDA2', 'AK3', { name: 'Anna', accountId: account })).code,
    'EntityExists',
  )
  assert.equal(driver.refused(register('AIDA1', 'AK4', { accountId: '444455556666' })).code, 'Forbidden')
  driver.run(inline(user('AIDA1'), 'p'))
  driver.run(register('AIDA1', 'AK1', { name: 'anna', accountId: account }))
  const policies = await ask(driver, { kind: 'list-subject-policies', subject: user('AIDA1') })
  assert.deepEqual(
    policies.policies?.inline,
    [{ name: 'p', document }],
    'registering again takes nothing away',
  )
  driver.run(register(account, 'AKROOT', { email: 'Root@example.org' }))
  assert.equal(
    driver.refused(register('444455556666', 'AKOTHER', { email: 'root@example.org' })).code,
    'EntityExists',
  )
  const found = await ask(driver, { kind: 'find-account', email: 'ROOT@example.org' })
  assert.equal(found.root?.userId, account)
  assert.equal((await ask(driver, { kind: 'find-account', accountId: 'AIDA1' })).root, undefined)
})

test('a disabled user says so with every key and session of his', async () => {
  const driver = openAccount()
  driver.run({ kind: 'update-user', userId: account, change: { state: 'disabled' } })
  assert.equal((await ask(driver, { kind: 'access-key', accessKeyId: 'AKROOT' })).user?.state, 'disabled')
})

test('providers are found by url, one or all, and change their clients', async () => {
  const driver = openAccount()
  driver.run(createProvider('idp.example/realms/a'))
  driver.run(createProvider('idp.example/realms/b'))
  assert.equal(driver.refused(createProvider('idp.example/realms/a')).code, 'EntityExists')
  const update = (change: object) =>
    driver.run({ kind: 'update-oidc-provider', accountId: account, url: 'idp.example/realms/a', change })
  update({ addClientId: 'two' })
  update({ addClientId: 'two' })
  update({ removeClientId: 'app' })
  const query = { kind: 'oidc-providers', accountId: account } as const
  assert.deepEqual(
    (await ask(driver, { ...query, url: 'idp.example/realms/a' })).providers.map((each) => each.clientIds),
    [['two']],
  )
  assert.equal((await ask(driver, query)).providers.length, 2)
  const remove = { kind: 'delete-oidc-provider', accountId: account, url: 'idp.example/realms/a' }
  driver.run(remove)
  assert.equal(driver.refused(remove).code, 'NoSuchEntity')
})

test('session keys are kept newest first, and forgotten when told', async () => {
  const driver = openAccount()
  driver.run(sessionKey('k1', 100))
  driver.run(sessionKey('k2', 200))
  driver.run(sessionKey('k2', 200))
  driver.run(sessionKey('k3', 300, 150))
  const { keys } = await ask(driver, { kind: 'session-keys' })
  assert.deepEqual(
    keys.map((key) => key.keyId),
    ['k3', 'k2'],
  )
  for (let at = 2; at < accessLimits.sessionKeysMax; at += 1) driver.run(sessionKey(`more${at}`, 400))
  assert.equal(driver.refused(sessionKey('end', 500)).code, 'LimitExceeded')
})

test('malformed commands are refused: names with slashes, paths that do not end, keys of row families', () => {
  const driver = openAccount()
  for (const command of [
    createUser('AIDA/1', 'anna'),
    createUser('AIDA1', 'anna', { path: '/x' }),
    createUser('AIDA1', 'anna', { path: 'x/' }),
    createGroup('AGPA1', 'a/b'),
    createRole('AROA1', 'r', { maxSessionSeconds: 60 }),
    createProvider('bad url'),
    { ...createPolicy('ANPA1', 'p'), policy: { ...createPolicy('ANPA1', 'p').policy, attachments: 5 } },
    inline({ kind: 'user', id: '../x' }, 'p'),
    { ...createGroup('AGPA1', 'g'), by: 'x'.repeat(3000) },
  ])
    assert.equal(driver.refused(command).code, 'BadMessage', JSON.stringify(command))
})

/** One of every kind of command, in an order in which they succeed. */
const story: readonly AccessCommand[] = [
  createPolicy('ANPA1', 'Managed'),
  createUser('AIDA1', 'anna', { tags: [{ key: 'team', value: 'ü' }], boundary: arnOf('Managed') }),
  createUser('AIDA2', 'weg'),
  createKey('AIDA1', 'AK1'),
  createKey('AIDA1', 'AK2'),
  { kind: 'set-access-key-state', userId: 'AIDA1', accessKeyId: 'AK1', state: 'disabled' },
  { kind: 'delete-access-key', userId: 'AIDA1', accessKeyId: 'AK2' },
  createGroup('AGPA1', 'team'),
  createGroup('AGPA2', 'weg'),
  { kind: 'update-group', groupId: 'AGPA1', change: { name: 'Team', path: '/a/' } },
  member('AGPA1', 'AIDA1'),
  createRole('AROA1', 'reader', { description: 'reads', boundary: arnOf('Managed') }),
  createRole('AROA2', 'weg'),
  { kind: 'update-role', roleId: 'AROA1', change: { trustPolicy: '{}', boundary: null } },
  {
    kind: 'change-policy',
    policyId: 'ANPA1',
    change: { kind: 'add', document: '{}', isDefault: false, nowMs: timeMs },
  },
  inline(user('AIDA1'), 'own'),
  inline(role('AROA1'), 'own'),
  inline(role('AROA1'), 'weg'),
  { kind: 'delete-inline-policy', subject: role('AROA1'), name: 'weg' },
  attach(group('AGPA1'), arnOf('Managed')),
  createProvider('idp.example/realms/a'),
  createProvider('idp.example/weg'),
  {
    kind: 'update-oidc-provider',
    accountId: account,
    url: 'idp.example/realms/a',
    change: { keySet: '{"keys":[]}', addClientId: 'two' },
  },
  { kind: 'delete-oidc-provider', accountId: account, url: 'idp.example/weg' },
  { kind: 'update-user', userId: 'AIDA1', change: { path: '/b/', state: 'active' } },
  { kind: 'delete-user', userId: 'AIDA2' },
  { kind: 'delete-group', groupId: 'AGPA2' },
  { kind: 'delete-role', roleId: 'AROA2' },
  createPolicy('ANPA2', 'weg'),
  { kind: 'delete-policy', policyId: 'ANPA2' },
  sessionKey('k1', timeMs),
]

test('the rows of access are byte for byte the golden ones, and those can be read', async () => {
  const driver = openRegistry()
  driver.run({
    ...putUser(account, 'AKROOT'),
    user: { userId: account, name: 'root', email: 'root@example.org' },
  })
  for (const command of story) driver.run(command)
  const families = new Set([...driver.rows.rows.keys()].map((key) => key.slice(0, 1)))
  assert.deepEqual([...families].sort().join(''), 'acdegikloruz', 'every kind of row is there')
  const kept = golden('access', driver.rows)
  const { policies } = await ask({ ...driver, rows: kept } as never, {
    kind: 'access-key',
    accessKeyId: 'AK1',
  })
  assert.deepEqual(policies, { documents: [document, document], builtIn: [], boundary: { document } })
})

test('the journal records every command about access, and no secret', () => {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const kinds = new Set<string>()
  for (const command of story) {
    const text = Buffer.from(encodeEvent({ index: 1, term: 1, kind: 'command', command }, sha256)).toString()
    const event = JSON.parse(text) as Record<string, unknown>
    assert.ok(Object.keys(event).length >= 4, `${command.kind} says what happened: ${text}`)
    const by = 'arn:aws:iam::1:user/anna'
    const attributed = encodeEvent(
      { index: 1, term: 1, kind: 'command', command: { ...command, by } },
      sha256,
    )
    assert.equal(JSON.parse(Buffer.from(attributed).toString()).by, by)
    assert.ok(!/sealedSecret|wrappedKey|"document"|"keySet"/.test(text), text)
    kinds.add(command.kind)
  }
  assert.equal(kinds.size, 23, 'every kind is in the story')
})
