import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import { assertQueryError, createIamUser, freshName, QueryClient } from './query-client.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

test('GetUser without a name is the caller: of a root its account', async () => {
  const text = await root.done('GetUser')
  assert.match(tag(text, 'Arn') ?? '', /^arn:aws:iam::[^:]+:root$/)
  assert.equal(tag(text, 'UserName'), undefined)
  const { client, name, arn } = await createIamUser(root)
  await root.done('PutUserPolicy', {
    UserName: name,
    PolicyName: 'self',
    PolicyDocument:
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::*:user/*"}}',
  })
  const own = await client.done('GetUser')
  assert.equal(tag(own, 'Arn'), arn)
  assert.equal(tag(own, 'UserName'), name)
  assertQueryError(await client.iam('ListUsers'), 403, 'AccessDenied')
})

test('CreateUser answers what it made, once per name whatever its case', async () => {
  const name = freshName('Anna')
  const text = await root.done('CreateUser', {
    UserName: name,
    Path: '/docks/',
    'Tags.member.1.Key': 'team',
    'Tags.member.1.Value': 'K1 ü',
  })
  assert.equal(tag(text, 'Path'), '/docks/')
  assert.equal(tag(text, 'UserName'), name)
  assert.match(tag(text, 'UserId') ?? '', /^AIDA[A-Z2-7]{16}$/)
  assert.ok(tag(text, 'Arn')?.endsWith(`:user/docks/${name}`))
  assert.match(tag(text, 'CreateDate') ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.equal(tag(text, 'Value'), 'K1 ü')
  const again = await root.iam('CreateUser', { UserName: name.toUpperCase() })
  assertQueryError(again, 409, 'EntityAlreadyExists')
  const found = await root.done('GetUser', { UserName: name.toLowerCase() })
  assert.equal(tag(found, 'UserId'), tag(text, 'UserId'))
  const other = new QueryClient(at.other)
  assertQueryError(await other.iam('GetUser', { UserName: name }), 404, 'NoSuchEntity')
})

test('UpdateUser changes name and path; the id stays', async () => {
  const [name, newName] = [freshName('a'), freshName('z')]
  const created = await root.done('CreateUser', { UserName: name })
  await root.done('UpdateUser', { UserName: name, NewUserName: newName, NewPath: '/new/' })
  assertQueryError(await root.iam('GetUser', { UserName: name }), 404, 'NoSuchEntity')
  const found = await root.done('GetUser', { UserName: newName })
  assert.equal(tag(found, 'UserId'), tag(created, 'UserId'))
  assert.ok(tag(found, 'Arn')?.endsWith(`:user/new/${newName}`))
})

test('ListUsers pages by name, whatever its case, under a path', async () => {
  const path = `/${freshName('p')}/`
  const names = ['aa', 'Ab', 'ac', 'Ad'].map((prefix) => freshName(prefix))
  for (const UserName of [...names].reverse()) await root.done('CreateUser', { UserName, Path: path })
  const listed: string[] = []
  for (let marker: string | undefined = ''; marker !== undefined; ) {
    const page: string = await root.done('ListUsers', {
      PathPrefix: path,
      MaxItems: '1',
      ...(marker === '' ? {} : { Marker: marker }),
    })
    listed.push(...tags(page, 'UserName'))
    marker = tag(page, 'IsTruncated') === 'true' ? tag(page, 'Marker') : undefined
  }
  assert.deepEqual(listed, names)
  assert.deepEqual(tags(await root.done('ListUsers', { PathPrefix: '/no-such-path/' }), 'UserName'), [])
  assertQueryError(await root.iam('ListUsers', { Marker: '%%' }), 400, 'ValidationError')
  assertQueryError(await root.iam('ListUsers', { MaxItems: '0' }), 400, 'ValidationError')
})

test('DeleteUser refuses while a key of his remains, and then ends him', async () => {
  const { name, client } = await createIamUser(root)
  assertQueryError(await root.iam('DeleteUser', { UserName: name }), 409, 'DeleteConflict')
  await root.done('DeleteAccessKey', { UserName: name, AccessKeyId: client.keys.accessKeyId })
  await root.done('DeleteUser', { UserName: name })
  assertQueryError(await root.iam('DeleteUser', { UserName: name }), 404, 'NoSuchEntity')
})

test('names, paths and tags that IAM does not take are refused', async () => {
  for (const parameters of [
    {},
    { UserName: '' },
    { UserName: 'a/b' },
    { UserName: 'a'.repeat(65) },
    { UserName: 'ü' },
    { UserName: 'ok', Path: 'no-slash' },
    { UserName: 'ok', Path: '/a' },
    { UserName: 'ok', 'Tags.member.1.Key': '<', 'Tags.member.1.Value': '' },
    { UserName: 'ok', 'Tags.member.1.Key': 'k'.repeat(129) },
  ])
    assertQueryError(await root.iam('CreateUser', parameters), 400, 'ValidationError')
  const twice = { 'Tags.member.1.Key': 'k', 'Tags.member.2.Key': 'K' }
  assertQueryError(await root.iam('CreateUser', { UserName: 'ok', ...twice }), 400, 'InvalidInput')
})

test('GetAccountSummary counts what the account has', async () => {
  const count = async () =>
    Number(/<key>Users<\/key><value>(\d+)</.exec(await root.done('GetAccountSummary'))?.[1])
  const before = await count()
  await createIamUser(root)
  assert.equal(await count(), before + 1)
})
