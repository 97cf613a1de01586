import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { generateKeyPair, UnsecuredJWT } from 'jose'
import { stsLimits } from '../../gateway/sts/sts-limits.ts'
import { systemClock } from '../../node/io/system-world.ts'
import { assertError } from './ask.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import { type Claims, OidcIssuer } from './oidc-issuer.ts'
import { allow, assertQueryError, credentialsIn, freshName, policy, QueryClient } from './query-client.ts'
import { tag } from './s3-client.ts'

/** The gateway's clock for intervals, which a test moves. */
const moved = { ms: 0 }
const clock = { ...systemClock, monotonicMs: () => performance.now() + moved.ms }

let gateway: LocalGateway
let issuer: OidcIssuer
let root: QueryClient
let providerArn: string
let roleArn: string
before(async () => {
  gateway = await startLocalGateway({ clock })
  issuer = await OidcIssuer.start()
  root = new QueryClient(gateway.client())
  providerArn = await register(issuer)
  roleArn = await createRole({ Condition: { StringEquals: { [`${keyPrefix(issuer)}:aud`]: 'app' } } })
})
after(async () => {
  issuer.close()
  await gateway.close()
})
afterEach(() => issuer.answers.clear())

async function register(of: OidcIssuer, parameters: Record<string, string> = {}): Promise<string> {
  const created = await root.done('CreateOpenIDConnectProvider', {
    Url: of.url,
    'ClientIDList.member.1': 'app',
    ...parameters,
  })
  return tag(created, 'OpenIDConnectProviderArn') ?? ''
}

function keyPrefix(of: OidcIssuer): string {
  return of.url.slice('http://'.length)
}

async function createRole(
  statement: object,
  allowed = allow('s3:ListAllMyBuckets'),
  provider = providerArn,
): Promise<string> {
  const RoleName = freshName('Web')
  const created = await root.done('CreateRole', {
    RoleName,
    AssumeRolePolicyDocument: policy({
      Effect: 'Allow',
      Action: 'sts:AssumeRoleWithWebIdentity',
      Principal: { Federated: provider },
      ...statement,
    }),
  })
  await root.done('PutRolePolicy', { RoleName, PolicyName: 'p', PolicyDocument: allowed })
  return tag(created, 'Arn') ?? ''
}

function assume(token: string, parameters: Record<string, string> = {}) {
  const form = { RoleArn: roleArn, RoleSessionName: 'officer-7', WebIdentityToken: token, ...parameters }
  return root.sts('AssumeRoleWithWebIdentity', form, { anonymous: true })
}

test('a token of a registered issuer, signed by nobody of ours, opens a session of the role', async () => {
  const answer = await assume(await issuer.token())
  assert.equal(answer.status, 200, answer.text)
  assert.equal(tag(answer.text, 'SubjectFromWebIdentityToken'), 'officer-7')
  assert.equal(tag(answer.text, 'Audience'), 'app')
  assert.equal(tag(answer.text, 'Provider'), issuer.url)
  const client = root.as(credentialsIn(answer.text))
  assert.equal((await client.send({ path: '/' })).status, 200)
  assertError(
    await client.send({ method: 'PUT', path: `/${freshName('b').toLowerCase()}` }),
    403,
    'AccessDenied',
  )
  assert.ok(tag((await client.sts('GetCallerIdentity')).text, 'Arn')?.endsWith('/officer-7'))
})

test('tokens that expired, are not valid yet, or never end are refused', async () => {
  const now = Math.floor(Date.now() / 1000)
  assertQueryError(await assume(await issuer.token({ exp: now - 3600 })), 400, 'ExpiredTokenException')
  assertQueryError(await assume(await issuer.token({ nbf: now + 3600 })), 400, 'InvalidIdentityToken')
  assertQueryError(await assume(await issuer.token({ exp: undefined })), 400, 'InvalidIdentityToken')
  assert.equal((await assume(await issuer.token({ exp: now - 30 }))).status, 200, 'clocks differ a little')
})

test('tokens for other clients, of other issuers, or without subject are refused', async () => {
  for (const claims of [
    { aud: 'other' },
    { aud: ['other', 'another'] },
    { aud: 'app', azp: 'other' },
    { aud: undefined },
    { sub: undefined },
    { iss: 'http://127.0.0.1:1/realms/police' },
    { iss: undefined },
    { iss: `${issuer.url}/more` },
    { iss: 'https://127.0.0.1/realms/police' },
  ]) {
    const answer = await assume(await issuer.token(claims))
    assertQueryError(answer, 400, 'InvalidIdentityToken')
  }
  assert.equal((await assume(await issuer.token({ aud: ['other', 'app'] }))).status, 200)
})

test('forged tokens are refused: another key, a changed claim, no algorithm, a shared secret', async () => {
  const stranger = await generateKeyPair('RS256')
  assertQueryError(await assume(await issuer.token({}, stranger.privateKey)), 400, 'InvalidIdentityToken')
  const [head = '', body = '', signature = ''] = (await issuer.token()).split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
  const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'chief' })).toString('base64url')
  assertQueryError(await assume(`${head}.${changed}.${signature}`), 400, 'InvalidIdentityToken')
  const none = new UnsecuredJWT({ iss: issuer.url, sub: 'x', aud: 'app' }).setExpirationTime('1h').encode()
  assertQueryError(await assume(none), 400, 'InvalidIdentityToken')
  const shared = await issuer.token({}, new TextEncoder().encode('x'.repeat(32)), 'HS256')
  assertQueryError(await assume(shared), 400, 'InvalidIdentityToken')
  for (const text of ['x', 'a.b.c', `${head}..${signature}`, 'x'.repeat(21_000)]) {
    assertQueryError(await assume(text), 400, 'InvalidIdentityToken')
  }
})

test('trust policies decide about claims: audience, subject, tags', async () => {
  const prefix = keyPrefix(issuer)
  const ofOne = await createRole({ Condition: { StringEquals: { [`${prefix}:sub`]: 'officer-7' } } })
  assert.equal((await assume(await issuer.token(), { RoleArn: ofOne })).status, 200)
  assertQueryError(
    await assume(await issuer.token({ sub: 'officer-8' }), { RoleArn: ofOne }),
    403,
    'AccessDenied',
  )
  const tagged = { 'https://aws.amazon.com/tags': { principal_tags: { station: ['K1'] } } }
  assertQueryError(await assume(await issuer.token(tagged)), 403, 'AccessDenied')
  const tagging = await createRole(
    { Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'] },
    policy({
      Effect: 'Allow',
      Action: 's3:ListAllMyBuckets',
      Resource: '*',
      Condition: { StringEquals: { 'aws:PrincipalTag/station': 'K1' } },
    }),
  )
  const list = async (claims: Claims) => {
    const answer = await assume(await issuer.token(claims), { RoleArn: tagging })
    return (await root.as(credentialsIn(answer.text)).send({ path: '/' })).status
  }
  assert.equal(await list(tagged), 200)
  assert.equal(await list({}), 403)
})

test('a role that trusts users, another provider, or nothing is not assumed with a token', async () => {
  const RoleName = freshName('Users')
  const users = await root.done('CreateRole', {
    RoleName,
    AssumeRolePolicyDocument: policy({ Effect: 'Allow', Action: 'sts:*', Principal: { AWS: '*' } }),
  })
  assertQueryError(
    await assume(await issuer.token(), { RoleArn: tag(users, 'Arn') ?? '' }),
    403,
    'AccessDenied',
  )
  const elsewhere = await createRole({}, allow('s3:*'), providerArn.replace('127.0.0.1', '127.0.0.2'))
  assertQueryError(await assume(await issuer.token(), { RoleArn: elsewhere }), 403, 'AccessDenied')
  assertQueryError(await assume(await issuer.token(), { RoleArn: `${roleArn}x` }), 403, 'AccessDenied')
  const foreign = roleArn.replace(/::[^:]+:/, '::b0b:')
  assertQueryError(await assume(await issuer.token(), { RoleArn: foreign }), 403, 'AccessDenied')
})

test('keys are fetched once, and again when the issuer changed them', async () => {
  const other = await OidcIssuer.start()
  const arn = await register(other)
  const role = await createRole({}, allow('s3:*'), arn)
  const keys = () => other.asked.get('/realms/police/keys') ?? 0
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await assume(await other.token(), { RoleArn: role })).status, 200)
  }
  assert.equal(keys(), 1)
  await other.rotate()
  assertQueryError(await assume(await other.token(), { RoleArn: role }), 400, 'InvalidIdentityToken')
  assert.equal(keys(), 1, 'a token with a key of nobody does not make us ask again at once')
  moved.ms += stsLimits.providerReloadMs
  assert.equal((await assume(await other.token(), { RoleArn: role })).status, 200)
  assert.equal(keys(), 2)
  other.close()
})

test('an issuer that is gone, lies about itself, redirects, floods or keeps its keys elsewhere is not believed', async () => {
  const paths = ['/realms/police/.well-known/openid-configuration', '/realms/police/keys'] as const
  for (const [path, status, body] of [
    [paths[0], 500, '{}'],
    [paths[0], 302, ''],
    [paths[0], 200, 'x'],
    [paths[0], 200, JSON.stringify({ issuer: 'http://127.0.0.1/other', jwks_uri: 'URL/keys' })],
    [paths[0], 200, JSON.stringify({ issuer: 'URL', jwks_uri: 'http://127.0.0.1:1/keys' })],
    [paths[0], 200, JSON.stringify({ issuer: 'URL', jwks_uri: 'x' })],
    [paths[1], 200, 'x'],
    [paths[1], 200, '{"keys":1}'],
    [paths[1], 200, 'y'.repeat(100_000)],
  ] as const) {
    const lying = await OidcIssuer.start()
    lying.answers.set(path, { status, body: body.replaceAll('URL', lying.url) })
    const role = await createRole({}, allow('s3:*'), await register(lying))
    assertQueryError(await assume(await lying.token(), { RoleArn: role }), 400, 'IDPCommunicationError')
    lying.close()
  }
  const gone = await OidcIssuer.start()
  const role = await createRole({}, allow('s3:*'), await register(gone))
  const token = await gone.token()
  gone.close()
  assertQueryError(await assume(token, { RoleArn: role }), 400, 'IDPCommunicationError')
})

test('keys that were registered with the provider are used, and nobody is asked', async () => {
  const closed = await OidcIssuer.start()
  const arn = await register(closed, { KeySet: await closed.keySet() })
  const role = await createRole({}, allow('s3:*'), arn)
  assert.equal((await assume(await closed.token(), { RoleArn: role })).status, 200)
  assert.equal(closed.asked.size, 0)
  await closed.rotate()
  assertQueryError(await assume(await closed.token(), { RoleArn: role }), 400, 'InvalidIdentityToken')
  const change = { OpenIDConnectProviderArn: arn, KeySet: await closed.keySet() }
  await root.done('UpdateOpenIDConnectProviderThumbprint', change)
  assert.equal((await assume(await closed.token(), { RoleArn: role })).status, 200)
  assert.equal(closed.asked.size, 0)
  closed.close()
})

test('plain HTTP to another machine is never asked', async () => {
  const Url = 'http://idp.example/realms/police'
  const arn =
    tag(
      await root.done('CreateOpenIDConnectProvider', { Url, 'ClientIDList.member.1': 'app' }),
      'OpenIDConnectProviderArn',
    ) ?? ''
  const role = await createRole({}, allow('s3:*'), arn)
  const token = await issuer.token({ iss: Url })
  assertQueryError(await assume(token, { RoleArn: role }), 400, 'IDPCommunicationError')
})
