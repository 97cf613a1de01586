import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '../../node/io/system-world.ts'
import { assertError } from './ask.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import {
  allow,
  assertQueryError,
  createIamUser,
  credentialsIn,
  eventually,
  policy,
  QueryClient,
} from './query-client.ts'
import { tag } from './s3-client.ts'

/** The gateway's wall clock, which the tests move. */
const moved = { ms: 0 }
const clock = { ...systemClock, wallMs: () => Date.now() + moved.ms }

let gateway: LocalGateway
let root: QueryClient
before(async () => {
  gateway = await startLocalGateway({ clock })
  root = new QueryClient(gateway.client())
})
after(() => gateway.close())

async function token(client: QueryClient, parameters: Record<string, string> = {}): Promise<QueryClient> {
  const answer = await client.sts('GetSessionToken', parameters)
  assert.equal(answer.status, 200, answer.text)
  return root.as(credentialsIn(answer.text))
}

test('a session of a user may do what he may with S3, and nothing with IAM', async () => {
  const user = await createIamUser(root)
  await root.done('PutUserPolicy', {
    UserName: user.name,
    PolicyName: 'p',
    PolicyDocument: allow(['s3:*', 'iam:*']),
  })
  const session = await token(user.client)
  assert.equal((await session.send({ path: '/' })).status, 200)
  assert.equal(tag((await session.sts('GetCallerIdentity')).text, 'Arn'), user.arn)
  assertQueryError(await session.iam('ListUsers'), 403, 'AccessDenied')
  assertQueryError(await session.sts('GetSessionToken'), 403, 'AccessDenied')
})

test('it ends when the key with which it began is disabled or deleted, or the user is denied', async () => {
  const user = await createIamUser(root)
  await root.done('PutUserPolicy', { UserName: user.name, PolicyName: 'p', PolicyDocument: allow('s3:*') })
  const session = await token(user.client)
  assert.equal((await session.send({ path: '/' })).status, 200)
  const key = { UserName: user.name, AccessKeyId: user.client.keys.accessKeyId }
  await root.done('UpdateAccessKey', { ...key, Status: 'Inactive' })
  assertError(await eventually(403, () => session.send({ path: '/' })), 403, 'InvalidAccessKeyId')
  await root.done('UpdateAccessKey', { ...key, Status: 'Active' })
  await eventually(200, () => session.send({ path: '/' }))
  await root.done('DeleteAccessKey', key)
  assertError(await eventually(403, () => session.send({ path: '/' })), 403, 'InvalidAccessKeyId')
})

test('it expires: a second before it works, then ExpiredToken, whatever it signs', async () => {
  const session = await token(root, { DurationSeconds: '900' })
  const send = () => session.send({ path: '/', dateMs: clock.wallMs() })
  moved.ms = 899_000
  assert.equal((await send()).status, 200)
  moved.ms = 901_000
  assertError(await send(), 400, 'ExpiredToken')
  assertQueryError(
    await session.sts('GetCallerIdentity', {}, { dateMs: clock.wallMs() }),
    403,
    'ExpiredToken',
  )
  moved.ms = 0
})

test('a root gets an hour; others up to 36 hours; less than 15 minutes nobody', async () => {
  const hours = async (client: QueryClient, parameters: Record<string, string> = {}) => {
    const { text } = await client.sts('GetSessionToken', parameters)
    return Math.round((Date.parse(tag(text, 'Expiration') ?? '') - Date.now()) / 3_600_000)
  }
  assert.equal(await hours(root, { DurationSeconds: '129600' }), 1)
  const { client } = await createIamUser(root)
  assert.equal(await hours(client), 12)
  assert.equal(await hours(client, { DurationSeconds: '129600' }), 36)
  assertQueryError(await client.sts('GetSessionToken', { DurationSeconds: '600' }), 400, 'ValidationError')
})

test('an explicit deny of sts:GetSessionToken counts, though no permission is needed', async () => {
  const { client, name } = await createIamUser(root)
  await token(client)
  const deny = policy({ Effect: 'Deny', Action: 'sts:GetSessionToken', Resource: '*' })
  await root.done('PutUserPolicy', { UserName: name, PolicyName: 'p', PolicyDocument: deny })
  assertQueryError(await eventually(403, () => client.sts('GetSessionToken')), 403, 'AccessDenied')
})

test('GetCallerIdentity answers everybody who signs', async () => {
  const text = (await root.sts('GetCallerIdentity')).text
  const account = tag(text, 'Account')
  assert.equal(tag(text, 'Arn'), `arn:aws:iam::${account}:root`)
  assert.equal(tag(text, 'UserId'), account)
  assertQueryError(
    await root.sts('GetCallerIdentity', {}, { anonymous: true }),
    403,
    'MissingAuthenticationToken',
  )
})
