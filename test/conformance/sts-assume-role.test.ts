import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import {
  allow,
  assertQueryError,
  type Credentials,
  createIamUser,
  credentialsIn,
  eventually,
  freshName,
  type IamUser,
  policy,
  QueryClient,
} from './query-client.ts'
import { encodeRfc3986, presign, tag } from './s3-client.ts'

let at: Conformance
let root: QueryClient
let other: QueryClient
let user: IamUser
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
  other = new QueryClient(at.other)
  user = await createIamUser(root)
})
after(() => at.close())

interface TestRole {
  readonly name: string
  readonly arn: string
}

async function createRole(
  trusted: object,
  allowed: string | undefined,
  extra: Record<string, string> = {},
): Promise<TestRole> {
  const name = freshName('Role')
  const created = await root.done('CreateRole', {
    RoleName: name,
    AssumeRolePolicyDocument: policy({ Effect: 'Allow', Action: 'sts:AssumeRole', ...trusted }),
    ...extra,
  })
  if (allowed !== undefined) {
    await root.done('PutRolePolicy', { RoleName: name, PolicyName: 'p', PolicyDocument: allowed })
  }
  return { name, arn: tag(created, 'Arn') ?? '' }
}

function assume(client: QueryClient, role: TestRole, parameters: Record<string, string> = {}) {
  return client.sts('AssumeRole', { RoleArn: role.arn, RoleSessionName: 'shift-7', ...parameters })
}

async function session(
  client: QueryClient,
  role: TestRole,
  parameters: Record<string, string> = {},
): Promise<QueryClient> {
  const answer = await assume(client, role, parameters)
  assert.equal(answer.status, 200, answer.text)
  return root.as(credentialsIn(answer.text))
}

test('a session may do what its role may, in header and in query, and is known by role and name', async () => {
  const bucket = await at.bucket()
  const role = await createRole({ Principal: { AWS: user.arn } }, allow(['s3:PutObject', 's3:GetObject']))
  const answer = await assume(user.client, role)
  assert.equal(answer.status, 200, answer.text)
  assert.match(tag(answer.text, 'AccessKeyId') ?? '', /^ASIA/)
  const seconds = (Date.parse(tag(answer.text, 'Expiration') ?? '') - Date.now()) / 1000
  assert.ok(seconds > 3500 && seconds <= 3601, String(seconds))
  const client = root.as(credentialsIn(answer.text))
  assert.equal((await client.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x' })).status, 200)
  assert.equal((await client.send({ path: `/${bucket}/k` })).text, 'x')
  assertError(await client.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  const { token = '', ...keys } = client.keys
  const url = presign(
    { path: `/${bucket}/k`, query: { 'X-Amz-Security-Token': token } },
    at.s3.endpoint,
    keys,
  )
  assert.equal((await at.s3.exchange({ path: url }, at.s3.hostHeader)).text, 'x')
  const me = await client.sts('GetCallerIdentity')
  assert.ok(tag(me.text, 'Arn')?.endsWith(`:assumed-role/${role.name}/shift-7`), me.text)
  assert.equal(tag(me.text, 'Arn'), tag(answer.text, 'Arn'))
  assert.match(tag(me.text, 'UserId') ?? '', /^AROA[A-Z2-7]+:shift-7$/)
})

test('tokens that were changed, left out, or belong to other keys do not open', async () => {
  const role = await createRole({ Principal: { AWS: user.arn } }, allow('s3:*'))
  const client = await session(user.client, role)
  const { token = '', ...keys } = client.keys
  assert.equal((await client.send({ path: '/' })).status, 200)
  const at1 = Math.floor(token.length / 2)
  const flipped = `${token.slice(0, at1)}${token[at1] === 'A' ? 'B' : 'A'}${token.slice(at1 + 1)}`
  for (const forged of [
    flipped,
    token.slice(4),
    `${token}AAAA`,
    'AAAA',
    ' ',
    Buffer.from('{}').toString('base64'),
  ]) {
    const answer = await root.as({ ...keys, token: forged }).send({ path: '/' })
    assertError(answer, 400, 'InvalidToken')
  }
  assertError(await root.as(keys).send({ path: '/' }), 403, 'InvalidAccessKeyId')
  const second = await session(user.client, role)
  const swapped: Credentials = { ...keys, token: second.keys.token ?? '' }
  assertError(await root.as(swapped).send({ path: '/' }), 400, 'InvalidToken')
  assertError(await root.as({ ...at.s3.keys, token }).send({ path: '/' }), 400, 'InvalidToken')
  const wrong = root.as({ ...client.keys, secretAccessKey: at.s3.keys.secretAccessKey })
  assertError(await wrong.send({ path: '/' }), 403, 'SignatureDoesNotMatch')
  const unsigned = await at.s3.send({ path: '/', keys, late: { 'x-amz-security-token': token } })
  assertError(unsigned, 403, 'AccessDenied')
})

test('only whom the trust policy lets in assumes a role, and nobody learns whether it exists', async () => {
  const role = await createRole({ Principal: { AWS: user.arn } }, allow('s3:*'))
  const stranger = await createIamUser(root)
  const refused = await assume(stranger.client, role)
  assertQueryError(refused, 403, 'AccessDenied')
  const absent = { name: 'x', arn: role.arn.replace(role.name, freshName('none')) }
  const unknown = await assume(stranger.client, absent)
  assertQueryError(unknown, 403, 'AccessDenied')
  const said = (text: string, arn: string) => tag(text, 'Message')?.replace(arn, 'ARN')
  assert.equal(said(refused.text, role.arn), said(unknown.text, absent.arn))
  assertQueryError(
    await other.sts('AssumeRole', { RoleArn: role.arn, RoleSessionName: 'x2' }),
    403,
    'AccessDenied',
  )
  assertQueryError(
    await root.sts('AssumeRole', { RoleArn: role.arn, RoleSessionName: 'x2' }, { anonymous: true }),
    403,
    'MissingAuthenticationToken',
  )
})

test('a role that trusts an account is assumed by whom that account lets go', async () => {
  const account = tag((await root.sts('GetCallerIdentity')).text, 'Account') ?? ''
  const role = await createRole({ Principal: { AWS: `arn:aws:iam::${account}:root` } }, allow('s3:*'))
  const caller = await createIamUser(root)
  assertQueryError(await assume(caller.client, role), 403, 'AccessDenied')
  await root.done('PutUserPolicy', {
    UserName: caller.name,
    PolicyName: 'p',
    PolicyDocument: allow('sts:AssumeRole', role.arn),
  })
  await eventually(200, () => assume(caller.client, role))
  const stranger = await createIamUser(other)
  await other.done('PutUserPolicy', {
    UserName: stranger.name,
    PolicyName: 'p',
    PolicyDocument: allow('sts:AssumeRole'),
  })
  assertQueryError(await assume(stranger.client, role), 403, 'AccessDenied')
})

test('across accounts both sides must allow it', async () => {
  const stranger = await createIamUser(other)
  const role = await createRole({ Principal: { AWS: stranger.arn } }, allow('s3:ListAllMyBuckets'))
  assertQueryError(await assume(stranger.client, role), 403, 'AccessDenied')
  await other.done('PutUserPolicy', {
    UserName: stranger.name,
    PolicyName: 'p',
    PolicyDocument: allow('sts:AssumeRole', role.arn),
  })
  const answer = await eventually(200, () => assume(stranger.client, role))
  const client = root.as(credentialsIn(answer.text))
  assert.equal((await client.send({ path: '/' })).status, 200)
})

test('a session policy narrows a session, and never widens it', async () => {
  const bucket = await at.bucket()
  const role = await createRole({ Principal: { AWS: user.arn } }, allow('s3:*'))
  const narrow = await session(user.client, role, { Policy: allow('s3:ListAllMyBuckets') })
  assert.equal((await narrow.send({ path: '/' })).status, 200)
  assertError(await narrow.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  const managed = await session(user.client, role, {
    'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
  })
  assert.equal((await managed.send({ path: `/${bucket}` })).status, 200)
  assertError(await managed.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x' }), 403, 'AccessDenied')
  const weak = await createRole({ Principal: { AWS: user.arn } }, allow('s3:ListAllMyBuckets'))
  const wide = await session(user.client, weak, { Policy: allow('*') })
  assertError(await wide.send({ path: `/${bucket}` }), 403, 'AccessDenied')
  assertQueryError(await assume(user.client, role, { Policy: '{}' }), 400, 'MalformedPolicyDocument')
  assertQueryError(
    await assume(user.client, role, { Policy: allow('s3:x'.repeat(600)) }),
    400,
    'PackedPolicyTooLarge',
  )
})

test('external ids and tags are conditions that a trust policy can ask for', async () => {
  const trusted = {
    Principal: { AWS: user.arn },
    Condition: { StringEquals: { 'sts:ExternalId': 'case 7'.replace(' ', '-') } },
  }
  const role = await createRole(trusted, allow('s3:*'))
  assertQueryError(await assume(user.client, role), 403, 'AccessDenied')
  assertQueryError(await assume(user.client, role, { ExternalId: 'case-8' }), 403, 'AccessDenied')
  await session(user.client, role, { ExternalId: 'case-7' })
  const tags = { 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'K1' }
  assertQueryError(await assume(user.client, role, { ExternalId: 'case-7', ...tags }), 403, 'AccessDenied')
  const tagging = await createRole(
    { Principal: { AWS: user.arn }, Action: ['sts:AssumeRole', 'sts:TagSession'] },
    policy({
      Effect: 'Allow',
      Action: 's3:*',
      Resource: '*',
      Condition: { StringEquals: { 'aws:PrincipalTag/team': 'K1' } },
    }),
  )
  assert.equal((await (await session(user.client, tagging, tags)).send({ path: '/' })).status, 200)
  assertError(await (await session(user.client, tagging)).send({ path: '/' }), 403, 'AccessDenied')
})

test('a session ends within seconds when its role is deleted, and what its role may do is looked up', async () => {
  const role = await createRole({ Principal: { AWS: user.arn } }, undefined)
  const client = await session(user.client, role)
  assertError(await client.send({ path: '/' }), 403, 'AccessDenied')
  await root.done('PutRolePolicy', { RoleName: role.name, PolicyName: 'p', PolicyDocument: allow('s3:*') })
  await eventually(200, () => client.send({ path: '/' }))
  await root.done('DeleteRolePolicy', { RoleName: role.name, PolicyName: 'p' })
  await root.done('DeleteRole', { RoleName: role.name })
  assertError(await eventually(403, () => client.send({ path: '/' })), 403, 'InvalidAccessKeyId')
  await root.done('CreateRole', {
    RoleName: role.name,
    AssumeRolePolicyDocument: policy({
      Effect: 'Allow',
      Action: 'sts:AssumeRole',
      Principal: { AWS: user.arn },
    }),
  })
  assertError(await client.send({ path: '/' }), 403, 'InvalidAccessKeyId')
})

test('durations stay within what the role and AWS allow; a chained session lives an hour', async () => {
  const role = await createRole({ Principal: { AWS: '*' } }, allow('sts:AssumeRole'), {
    MaxSessionDuration: '7200',
  })
  await session(user.client, role, { DurationSeconds: '7200' })
  assertQueryError(await assume(user.client, role, { DurationSeconds: '7201' }), 400, 'ValidationError')
  assertQueryError(await assume(user.client, role, { DurationSeconds: '899' }), 400, 'ValidationError')
  const first = await session(user.client, role)
  assertQueryError(await assume(first, role, { DurationSeconds: '7200' }), 400, 'ValidationError')
  await session(first, role, { DurationSeconds: '3600' })
})

test('a session with a role of IAM administers, one without does not', async () => {
  const role = await createRole({ Principal: { AWS: user.arn } }, allow('iam:ListUsers'))
  const client = await session(user.client, role)
  assert.equal((await client.iam('ListUsers')).status, 200)
  assertQueryError(await client.iam('CreateUser', { UserName: freshName('x') }), 403, 'AccessDenied')
  assertQueryError(await client.iam('GetUser'), 400, 'ValidationError')
})

test('names of sessions and ARNs that are none are refused', async () => {
  const role = await createRole({ Principal: { AWS: user.arn } }, undefined)
  for (const RoleSessionName of ['', 'x', 'a b', 'a/b', 'x'.repeat(65)]) {
    assertQueryError(await assume(user.client, role, { RoleSessionName }), 400, 'ValidationError')
  }
  for (const RoleArn of ['x', 'arn:aws:iam::1:user/x', `${role.arn}/x`, encodeRfc3986(role.arn)]) {
    assertQueryError(await assume(user.client, role, { RoleArn }), 403, 'AccessDenied')
  }
})
