/** Nobody gives himself, or anybody, what he was not given. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import {
  allow,
  assertQueryError,
  createIamUser,
  eventually,
  freshName,
  type IamUser,
  policy,
  QueryClient,
} from './query-client.ts'
import { tag } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

async function userWith(document: string): Promise<IamUser> {
  const user = await createIamUser(root)
  await root.done('PutUserPolicy', { UserName: user.name, PolicyName: 'given', PolicyDocument: document })
  return user
}

test('all of S3 gives nothing of IAM', async () => {
  const user = await userWith(allow('s3:*'))
  const mine = { UserName: user.name }
  for (const [action, parameters] of [
    ['PutUserPolicy', { ...mine, PolicyName: 'more', PolicyDocument: allow('*') }],
    ['AttachUserPolicy', { ...mine, PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' }],
    ['CreateAccessKey', mine],
    ['CreateUser', { UserName: freshName('x') }],
    ['DeleteUserPolicy', { ...mine, PolicyName: 'given' }],
    ['DeleteUserPermissionsBoundary', mine],
  ] as const)
    assertQueryError(await user.client.iam(action, parameters), 403, 'AccessDenied')
})

test('a right on one user is no right on another, nor on one of the same beginning', async () => {
  const one = await createIamUser(root, 'one')
  const two = await createIamUser(root, 'two')
  const helper = await userWith(allow(['iam:CreateAccessKey', 'iam:DeleteAccessKey', 'iam:GetUser'], one.arn))
  assert.equal((await helper.client.iam('GetUser', { UserName: one.name })).status, 200)
  assertQueryError(await helper.client.iam('CreateAccessKey', { UserName: two.name }), 403, 'AccessDenied')
  assertQueryError(await helper.client.iam('CreateAccessKey'), 403, 'AccessDenied')
  await root.done('CreateUser', { UserName: `${one.name}x` })
  assertQueryError(
    await helper.client.iam('CreateAccessKey', { UserName: `${one.name}x` }),
    403,
    'AccessDenied',
  )
})

test('a path bounds those who may act on it; moving a user needs the right on where he is', async () => {
  const name = freshName('docked')
  const created = await root.done('CreateUser', { UserName: name, Path: '/docks/' })
  const account = /::([^:]+):/.exec(tag(created, 'Arn') ?? '')?.[1] ?? ''
  const helper = await userWith(allow('iam:*', `arn:aws:iam::${account}:user/docks/*`))
  assert.equal((await helper.client.iam('GetUser', { UserName: name })).status, 200)
  assertQueryError(await helper.client.iam('CreateUser', { UserName: freshName('x') }), 403, 'AccessDenied')
  assertQueryError(
    await helper.client.iam('UpdateUser', { UserName: helper.name, NewPath: '/docks/' }),
    403,
    'AccessDenied',
  )
  assertQueryError(
    await helper.client.iam('PutUserPolicy', {
      UserName: helper.name,
      PolicyName: 'x',
      PolicyDocument: allow('*'),
    }),
    403,
    'AccessDenied',
  )
})

test('whoever may create users only with a boundary creates none without, and none with another', async () => {
  const boundary = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'
  const condition = { StringEquals: { 'iam:PermissionsBoundary': boundary } }
  const helper = await userWith(
    policy({ Effect: 'Allow', Action: 'iam:CreateUser', Resource: '*', Condition: condition }),
  )
  const create = (extra: Record<string, string>) =>
    helper.client.iam('CreateUser', { UserName: freshName('x'), ...extra })
  assertQueryError(await create({}), 403, 'AccessDenied')
  const admin = 'arn:aws:iam::aws:policy/AdministratorAccess'
  assertQueryError(await create({ PermissionsBoundary: admin }), 403, 'AccessDenied')
  assert.equal((await create({ PermissionsBoundary: boundary })).status, 200)
})

test('whoever may attach one policy attaches no other', async () => {
  const target = await createIamUser(root)
  const readOnly = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'
  const condition = { ArnEquals: { 'iam:PolicyARN': readOnly } }
  const helper = await userWith(
    policy({ Effect: 'Allow', Action: 'iam:AttachUserPolicy', Resource: '*', Condition: condition }),
  )
  const attach = (PolicyArn: string) =>
    helper.client.iam('AttachUserPolicy', { UserName: target.name, PolicyArn })
  assertQueryError(await attach('arn:aws:iam::aws:policy/AdministratorAccess'), 403, 'AccessDenied')
  assert.equal((await attach(readOnly)).status, 200)
})

test('an administrator of one account is nobody in another', async () => {
  const admin = await userWith(allow('*'))
  const stranger = await createIamUser(new QueryClient(at.other))
  assert.equal((await admin.client.iam('ListUsers')).status, 200)
  assertQueryError(await admin.client.iam('GetUser', { UserName: stranger.name }), 404, 'NoSuchEntity')
  assertQueryError(
    await admin.client.iam('PutUserPolicy', {
      UserName: stranger.name,
      PolicyName: 'x',
      PolicyDocument: allow('*'),
    }),
    404,
    'NoSuchEntity',
  )
  assertQueryError(
    await admin.client.iam('DeleteAccessKey', {
      UserName: admin.name,
      AccessKeyId: at.other.keys.accessKeyId,
    }),
    404,
    'NoSuchEntity',
  )
  const bucket = `b-${freshName('theirs').toLowerCase()}`
  assert.equal((await at.other.send({ method: 'PUT', path: `/${bucket}` })).status, 200)
  assert.equal((await admin.client.send({ path: `/${bucket}` })).status, 403)
})

test('an administrator neither reaches the keys of the root nor ends it', async () => {
  const admin = await userWith(allow('*'))
  const account = tag((await root.sts('GetCallerIdentity')).text, 'Account') ?? ''
  for (const UserName of [account, 'root', 'alice', at.s3.keys.accessKeyId]) {
    assertQueryError(await admin.client.iam('CreateAccessKey', { UserName }), 404, 'NoSuchEntity')
    assertQueryError(await admin.client.iam('DeleteUser', { UserName }), 404, 'NoSuchEntity')
  }
  const key = { UserName: admin.name, AccessKeyId: at.s3.keys.accessKeyId }
  assertQueryError(
    await admin.client.iam('UpdateAccessKey', { ...key, Status: 'Inactive' }),
    404,
    'NoSuchEntity',
  )
})

test('a deny stays, however much is allowed beside it', async () => {
  const user = await userWith(
    policy(
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: 'iam:DeleteUserPolicy', Resource: '*' },
    ),
  )
  await eventually(200, () => user.client.iam('ListUsers'))
  assertQueryError(
    await user.client.iam('DeleteUserPolicy', { UserName: user.name, PolicyName: 'given' }),
    403,
    'AccessDenied',
  )
})
