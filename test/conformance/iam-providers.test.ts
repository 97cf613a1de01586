import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import { assertQueryError, freshName, QueryClient } from './query-client.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

test('a provider is registered, shown, changed, listed and deleted', async () => {
  const host = `${freshName('idp')}.example/realms/a`
  const thumbprint = '3768084dfb3d2b68b7897bf5f565da8efEXAMPLE'
  const create = {
    Url: `https://${host}`,
    'ClientIDList.member.1': 'app',
    'ThumbprintList.member.1': thumbprint,
  }
  const created = await root.done('CreateOpenIDConnectProvider', create)
  const named = { OpenIDConnectProviderArn: tag(created, 'OpenIDConnectProviderArn') ?? '' }
  assert.ok(named.OpenIDConnectProviderArn.endsWith(`:oidc-provider/${host}`))
  assertQueryError(await root.iam('CreateOpenIDConnectProvider', create), 409, 'EntityAlreadyExists')
  await root.done('AddClientIDToOpenIDConnectProvider', { ...named, ClientID: 'two' })
  await root.done('AddClientIDToOpenIDConnectProvider', { ...named, ClientID: 'two' })
  const shown = await root.done('GetOpenIDConnectProvider', named)
  assert.equal(tag(shown, 'Url'), `https://${host}`)
  assert.deepEqual(tags(shown, 'member'), ['app', 'two', thumbprint])
  await root.done('RemoveClientIDFromOpenIDConnectProvider', { ...named, ClientID: 'app' })
  await root.done('UpdateOpenIDConnectProviderThumbprint', {
    ...named,
    'ThumbprintList.member.1': 'b'.repeat(40),
  })
  assert.deepEqual(tags(await root.done('GetOpenIDConnectProvider', named), 'member'), [
    'two',
    'b'.repeat(40),
  ])
  assert.ok(
    tags(await root.done('ListOpenIDConnectProviders'), 'Arn').includes(named.OpenIDConnectProviderArn),
  )
  const other = new QueryClient(at.other)
  assertQueryError(await other.iam('GetOpenIDConnectProvider', named), 404, 'NoSuchEntity')
  assertQueryError(await other.iam('DeleteOpenIDConnectProvider', named), 404, 'NoSuchEntity')
  await root.done('DeleteOpenIDConnectProvider', named)
  assertQueryError(await root.iam('GetOpenIDConnectProvider', named), 404, 'NoSuchEntity')
})

test('addresses, thumbprints and key sets that are none are refused', async () => {
  const create = (parameters: Record<string, string>) =>
    root.iam('CreateOpenIDConnectProvider', { Url: `https://${freshName('x')}.example`, ...parameters })
  for (const parameters of [
    { Url: 'idp.example' },
    { Url: 'ftp://idp.example' },
    { Url: 'https://idp.example?x=1' },
    { Url: 'https://user@idp.example' },
    { Url: `https://idp.example/${'x'.repeat(300)}` },
    { 'ThumbprintList.member.1': 'short' },
    { KeySet: '{}' },
    { KeySet: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}' },
  ])
    assertQueryError(await create(parameters), 400, 'ValidationError')
})
