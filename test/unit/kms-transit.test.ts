import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readGatewayConfig } from '../../gateway/config.ts'
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import { selfSignedCertificate } from '../../node/io/certificate.ts'
import { loadOrCreateKey } from '../../node/io/identity.ts'
import { openTransitKms, type TransitOptions } from '../../node/io/kms-transit.ts'
import { TransitServer } from '../sim/transit-server.ts'

const is = (code: ClusterErrorCode) => (error: unknown) =>
  error instanceof ClusterError && error.code === code

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'transit-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

async function service(t: TestContext, extra: Partial<TransitOptions> = {}) {
  const server = await TransitServer.start(extra.mount === undefined ? {} : { mount: extra.mount })
  t.after(() => server.close())
  for (const name of ['owner', 's3-a']) server.create(name)
  const tokenFile = join(await folder(t), 'token')
  await writeFile(tokenFile, `${server.token}\n`)
  const url = `http://127.0.0.1:${server.port}`
  const kms = openTransitKms({
    url,
    mount: 'transit',
    tokenFile,
    ownKey: 'owner',
    namedPrefix: 's3-',
    ...extra,
  })
  return { server, kms, tokenFile }
}

test('a key that is rotated in the service goes on opening what it wrapped', async (t) => {
  const { server, kms } = await service(t)
  const secret = randomBytes(32)
  const before = await kms.wrap(secret, 'x', 'a')
  server.rotate('s3-a')
  const after = await kms.wrap(secret, 'x', 'a')
  assert.match(Buffer.from(before).toString(), /^vault:v1:/)
  assert.match(Buffer.from(after).toString(), /^vault:v2:/)
  for (const wrapped of [before, after]) assert.ok((await kms.unwrap(wrapped, 'x', 'a')).equals(secret))
})

test('no name makes a key in the service, and none reaches beyond the prefix', async (t) => {
  const { server, kms } = await service(t)
  for (const name of ['new', 'owner', '../owner', '..%2fowner', 'alias/aws/s3', 'a/../../keys/owner']) {
    await assert.rejects(kms.wrap(randomBytes(32), 'x', name), is('KmsKeyNotFound'), name)
  }
  assert.deepEqual(server.keyNames, ['owner', 's3-a'])
  assert.ok(server.requests.every((line) => line.startsWith('GET /v1/transit/keys/s3-')))
})

test('the default key is the one that the configuration names', async (t) => {
  const { server, kms } = await service(t, { defaultKey: 'evidence' })
  await assert.rejects(kms.wrap(randomBytes(32), 'x', 'alias/aws/s3'), is('KmsKeyNotFound'))
  server.create('evidence')
  const secret = randomBytes(32)
  const wrapped = await kms.wrap(secret, 'x', 'alias/aws/s3')
  assert.ok((await kms.unwrap(wrapped, 'x', 'alias/aws/s3')).equals(secret))
})

test('mount and namespace are those of the configuration', async (t) => {
  const { server, kms } = await service(t, { mount: 'bund/transit', namespace: 'polizei' })
  await assert.rejects(kms.wrap(randomBytes(32), 'x'), is('KmsUnavailable'))
  server.namespace = 'polizei'
  assert.ok(await kms.wrap(randomBytes(32), 'x'))
})

test('a token counts from the next call, and one that is refused or gone is KmsUnavailable', async (t) => {
  const { server, kms, tokenFile } = await service(t)
  server.token = 'hvs.renewed'
  await assert.rejects(kms.wrap(randomBytes(32), 'x', 'a'), is('KmsUnavailable'))
  await writeFile(tokenFile, server.token)
  assert.ok(await kms.wrap(randomBytes(32), 'x', 'a'))
  await rm(tokenFile)
  await assert.rejects(kms.wrap(randomBytes(32), 'x', 'a'), is('KmsUnavailable'))
})

test('a torn connection is tried again once; a sealed, babbling or absent service is KmsUnavailable', async (t) => {
  const { server, kms } = await service(t)
  const secret = randomBytes(32)
  const wrapped = await kms.wrap(secret, 'x')
  server.faults = ['tear']
  assert.ok((await kms.unwrap(wrapped, 'x')).equals(secret))
  for (const faults of [['tear', 'tear'], ['sealed'], ['garbage'], ['flood']] as const) {
    server.faults = [...faults]
    await assert.rejects(kms.unwrap(wrapped, 'x'), is('KmsUnavailable'), faults.join())
    assert.deepEqual(server.faults, [], 'no more was asked than that')
  }
  assert.ok((await kms.unwrap(wrapped, 'x')).equals(secret))
  await server.close()
  await assert.rejects(kms.unwrap(wrapped, 'x'), is('KmsUnavailable'))
})

test('a service that hangs is given up in time', async (t) => {
  const { server, kms } = await service(t, { answerTimeoutMs: 50 })
  server.faults = ['hang']
  await assert.rejects(kms.wrap(randomBytes(32), 'x'), is('KmsUnavailable'))
  assert.equal(server.requests.length, 1, 'it is not asked again meanwhile')
})

test('over TLS the service must show a certificate of the given authority', async (t) => {
  const directory = await folder(t)
  const pair = await loadOrCreateKey(directory, 'node')
  const certificate = selfSignedCertificate(pair, 'localhost')
  const key = String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  const server = await TransitServer.start({ tls: { cert: certificate, key } })
  t.after(() => server.close())
  server.create('owner')
  const [tokenFile, caFile, otherFile] = ['token', 'ca.pem', 'other.pem'].map((name) =>
    join(directory, name),
  ) as [string, string, string]
  await writeFile(tokenFile, server.token)
  await writeFile(caFile, certificate)
  const stranger = await loadOrCreateKey(directory, 'journal')
  await writeFile(otherFile, selfSignedCertificate(stranger, 'localhost'))
  const options = {
    url: `https://localhost:${server.port}`,
    mount: 'transit',
    tokenFile,
    ownKey: 'owner',
    namedPrefix: 's3-',
  }
  const secret = randomBytes(32)
  const kms = openTransitKms({ ...options, caFile })
  assert.ok((await kms.unwrap(await kms.wrap(secret, 'x'), 'x')).equals(secret))
  const seen = server.requests.length
  for (const wrong of [{ ...options, caFile: otherFile }, options]) {
    await assert.rejects(openTransitKms(wrong).wrap(secret, 'x'), is('KmsUnavailable'))
  }
  assert.equal(server.requests.length, seen, 'no token was sent to a stranger')
})

test('a configuration that would send keys in the clear or let clients name the own key is refused', async (t) => {
  const directory = await folder(t)
  const file = join(directory, 'config.json')
  const base = {
    nodeId: 'gw-1',
    dataDir: '.',
    genesis: 'genesis.json',
    listen: { port: 1 },
    admin: { port: 2 },
    dht: [],
    s3: { port: 3 },
  }
  const read = async (kms: Record<string, string>) => {
    const transit = { kind: 'transit', url: 'https://kms.example.org:8200', tokenFile: 't', ownKey: 'owner' }
    await writeFile(file, JSON.stringify({ ...base, kms: { ...transit, ...kms } }))
    return readGatewayConfig(file).kms
  }
  assert.equal((await read({})).kind, 'transit')
  assert.equal((await read({ url: 'http://127.0.0.1:8200' })).kind, 'transit')
  assert.equal((await read({ url: 'http://[::1]:8200' })).kind, 'transit')
  for (const bad of [
    { url: 'http://kms.example.org:8200' },
    { url: 'ftp://127.0.0.1' },
    { ownKey: 's3-owner' },
    { ownKey: 'evidence', defaultKey: 'evidence' },
    { ownKey: 'a/b' },
    { mount: '../sys' },
    { mount: 'a?b' },
  ] as Record<string, string>[]) {
    await assert.rejects(read(bad), /bad configuration/, JSON.stringify(bad))
  }
})
