import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { queryActions } from '../../gateway/iam/query-api.ts'
import { type Conformance, startConformance } from './harness.ts'
import { assertQueryError, createIamUser, QueryClient } from './query-client.ts'
import { tag } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

test('a request that is not signed, or not by us, or for another service, is refused', async () => {
  assertQueryError(await root.iam('GetUser', {}, { anonymous: true }), 403, 'MissingAuthenticationToken')
  const wrong = root.as({ ...at.s3.keys, secretAccessKey: 'x'.repeat(40) })
  assertQueryError(await wrong.iam('GetUser'), 403, 'SignatureDoesNotMatch')
  const unknown = root.as({ ...at.s3.keys, accessKeyId: 'AKIAUNKNOWN000000000' })
  assertQueryError(await unknown.iam('GetUser'), 403, 'InvalidClientTokenId')
  assertQueryError(await root.iam('GetUser', {}, { service: 's3' }), 400, 'IncompleteSignature')
  assertQueryError(await root.iam('GetUser', {}, { service: 'sts' }), 400, 'IncompleteSignature')
  const old = { dateMs: Date.now() - 16 * 60_000 }
  assertQueryError(await root.iam('GetUser', {}, old), 403, 'SignatureDoesNotMatch')
  assertQueryError(
    await root.iam('GetUser', {}, { headers: { 'x-amz-security-token': 'AAAA' } }),
    403,
    'InvalidClientTokenId',
  )
})

test('the signature is over the very body: another one is refused, with and without its hash in a header', async () => {
  const body = 'Action=GetUser&Version=2010-05-08'
  const moved = 'Action=GetUser&Version=2010-05-08&UserName=x'
  const payload = createHash('sha256').update(body).digest('hex')
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const asked = { method: 'POST', path: '/', service: 'iam', payload, headers }
  assert.equal((await at.s3.send({ ...asked, body })).status, 200)
  assertQueryError(await at.s3.send({ ...asked, body: moved }), 403, 'SignatureDoesNotMatch')
  const unsigned = { ...asked, payload: 'UNSIGNED-PAYLOAD' }
  assertQueryError(await at.s3.send({ ...unsigned, body }), 403, 'SignatureDoesNotMatch')
})

test('actions and versions that we do not know, and forms that are none', async () => {
  assertQueryError(await root.iam('NoSuchAction'), 400, 'InvalidAction')
  assertQueryError(await root.iam('AssumeRole'), 400, 'InvalidAction')
  assertQueryError(await root.iam('GetUser', { Version: '2009-01-01' }), 400, 'InvalidAction')
  assertQueryError(await root.iam('constructor'), 400, 'InvalidAction')
  for (const body of ['', '%', 'Action=GetUser&Action=GetUser&Version=2010-05-08', '&'.repeat(100)]) {
    const answer = await root.iam('GetUser', {}, { body })
    assert.ok([400, 404].includes(answer.status), `${body}: ${answer.text}`)
  }
  const many = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`p${index}`, '']))
  assertQueryError(await root.iam('GetUser', many), 404, 'MalformedQueryString')
})

test('a body that is too long is refused before it is read to its end', async () => {
  const answer = await root.iam('GetUser', {}, { body: `Action=GetUser&x=${'y'.repeat(300 * 1024)}` })
  assertQueryError(answer, 413, 'RequestEntityTooLarge')
})

test('errors say nothing of inside, and every answer names its request', async () => {
  const answer = await root.iam('GetUser', { UserName: 'nobody-of-that-name' })
  assertQueryError(answer, 404, 'NoSuchEntity')
  assert.equal(tag(answer.text, 'Message'), 'The user with name nobody-of-that-name cannot be found.')
  assert.equal(tag(answer.text, 'Type'), 'Sender')
})

test('every action is refused to a user without policies, and to nobody at all', async () => {
  const { client, name } = await createIamUser(root)
  const all: Record<string, string> = {
    UserName: name,
    GroupName: 'g',
    RoleName: 'r',
    PolicyName: 'p',
    PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
    PolicyDocument: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
    PermissionsBoundary: 'arn:aws:iam::aws:policy/AdministratorAccess',
    AccessKeyId: client.keys.accessKeyId,
    Status: 'Inactive',
    VersionId: 'v1',
    Url: 'https://idp.example',
    ClientID: 'c',
    OpenIDConnectProviderArn: 'arn:aws:iam::1:oidc-provider/idp.example',
  }
  const trust =
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}}'
  const iam = queryActions.filter((action) => action.service === 'iam')
  assert.ok(iam.length > 55, 'the table is there')
  for (const action of iam) {
    const parameters = {
      ...all,
      AssumeRolePolicyDocument: trust,
      ...(action.name === 'UpdateAssumeRolePolicy' ? { PolicyDocument: trust } : {}),
    }
    assertQueryError(await client.iam(action.name, parameters), 403, 'AccessDenied')
    assertQueryError(
      await client.iam(action.name, parameters, { anonymous: true }),
      403,
      'MissingAuthenticationToken',
    )
  }
})
