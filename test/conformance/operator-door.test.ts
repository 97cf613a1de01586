import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { BucketQuotas } from '../../gateway/bucket-quotas.ts'
import { createRequestId } from '../../gateway/exchange.ts'
import { askDoor, openDoor } from '../../gateway/operator-door.ts'
import { type ListedUser, type NewKey, UserDirectory } from '../../gateway/users.ts'
import { assertError } from './ask.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import { eventually, QueryClient } from './query-client.ts'
import { tag } from './s3-client.ts'

let gateway: LocalGateway
let dataDir: string
let close: () => void
before(async () => {
  gateway = await startLocalGateway()
  dataDir = mkdtempSync(join(tmpdir(), 'door-'))
  const { client, kms, store } = gateway.federation
  close = await openDoor(dataDir, {
    users: new UserDirectory(client, kms, () => undefined),
    quotas: new BucketQuotas(store, createRequestId),
  })
})
after(async () => {
  close()
  await gateway.close()
  rmSync(dataDir, { recursive: true })
})

async function create(name: string, extra: object = {}): Promise<NewKey> {
  return (await askDoor(dataDir, { command: 'create-user', name, ...extra })) as NewKey
}

async function list(): Promise<ListedUser[]> {
  return (await askDoor(dataDir, { command: 'list-users' })) as ListedUser[]
}

test('an account is created with its root, whose key works; the secret is never listed', async () => {
  const key = await create('Kripo Berlin', { email: 'kripo@example.org' })
  assert.match(key.userId, /^\d{12}$/)
  const root = new QueryClient(gateway.client(), key)
  assert.equal(tag((await root.sts('GetCallerIdentity')).text, 'Arn'), `arn:aws:iam::${key.userId}:root`)
  assert.equal((await root.send({ path: '/' })).status, 200)
  const users = await list()
  const found = users.find((user) => user.userId === key.userId)
  assert.deepEqual(found, {
    userId: key.userId,
    name: 'Kripo Berlin',
    accountId: key.userId,
    email: 'kripo@example.org',
    state: 'active',
    keys: [{ accessKeyId: key.accessKeyId, state: 'active' }],
  })
  assert.ok(!JSON.stringify(users).includes(key.secretAccessKey))
  await assert.rejects(create('other', { email: 'KRIPO@example.org' }), /e-mail address/)
})

test('a user of an account may do nothing, and is seen by the account', async () => {
  const account = await create('account')
  const key = await create('dock-7', { accountId: account.userId })
  const user = new QueryClient(gateway.client(), key)
  assertError(await user.send({ path: '/' }), 403, 'AccessDenied')
  const root = new QueryClient(gateway.client(), account)
  assert.equal(tag(await root.done('ListUsers'), 'UserName'), 'dock-7')
  await assert.rejects(create('DOCK-7', { accountId: account.userId }), /exists/)
  await assert.rejects(create('x', { accountId: '000000000000' }), /cannot be found/)
})

test('a disabled user and a disabled key stop working within seconds, and can be enabled', async () => {
  const key = await create('shift')
  const root = new QueryClient(gateway.client(), key)
  const send = () => root.send({ path: '/' })
  await askDoor(dataDir, { command: 'set-user-state', user: key.userId, state: 'disabled' })
  assertError(await eventually(403, send), 403, 'InvalidAccessKeyId')
  await askDoor(dataDir, { command: 'set-user-state', user: 'shift', state: 'active' })
  await eventually(200, send)
  const second = (await askDoor(dataDir, { command: 'create-key', user: 'shift' })) as NewKey
  await askDoor(dataDir, { command: 'set-key-state', accessKeyId: key.accessKeyId, state: 'disabled' })
  assertError(await eventually(403, send), 403, 'InvalidAccessKeyId')
  assert.equal((await new QueryClient(gateway.client(), second).send({ path: '/' })).status, 200)
  await askDoor(dataDir, { command: 'delete-key', accessKeyId: key.accessKeyId })
  await assert.rejects(
    askDoor(dataDir, { command: 'delete-key', accessKeyId: key.accessKeyId }),
    /no access key/,
  )
  await assert.rejects(askDoor(dataDir, { command: 'create-key', user: 'nobody' }), /no user/)
})

test('the door is private, and no secret lies in a file', () => {
  const file = join(dataDir, 'operator.door')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const folder = dirname(readFileSync(file, 'utf8').trim())
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(dataDir), ['operator.door'])
})

test('what is no request is told so, or cut off', async () => {
  const path = readFileSync(join(dataDir, 'operator.door'), 'utf8').trim()
  const say = (line: string) =>
    new Promise<string>((resolve) => {
      const socket = createConnection(path, () => socket.write(line))
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString()
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
  assert.match(await say('{"command":"drop-everything"}\n'), /"error"/)
  assert.match(await say('x\n'), /"error"/)
  assert.equal(await say('y'.repeat(10_000)), '')
  await assert.rejects(askDoor(join(dataDir, 'nowhere'), { command: 'list-users' }), /no gateway is running/)
})

test('bounds of a bucket are set one by one, taken away, and held to', async () => {
  const s3 = gateway.client()
  const order = (request: object) =>
    askDoor(dataDir, { command: 'bucket-quota', bucket: 'evidence', ...request })
  await assert.rejects(order({}), /no bucket evidence/)
  assert.equal((await s3.send({ method: 'PUT', path: '/evidence' })).status, 200)
  assert.equal((await s3.send({ method: 'PUT', path: '/evidence/a', body: 'four' })).status, 200)
  const holds = { objects: 1, versions: 0, uploads: 0, bytes: 4 }
  assert.deepEqual(await order({}), { bucket: 'evidence', quota: {}, holds })
  await order({ objectsMax: 5 })
  const quota = { bytesMax: 4, objectsMax: 5 }
  assert.deepEqual(await order({ bytesMax: 4 }), { bucket: 'evidence', quota, holds })
  assertError(await s3.send({ method: 'PUT', path: '/evidence/b', body: 'x' }), 403, 'QuotaExceeded')
  await order({ bytesMax: null })
  assert.equal((await s3.send({ method: 'PUT', path: '/evidence/b', body: 'x' })).status, 200)
  await assert.rejects(order({ bytesMax: -1 }), /expected number to be >=0/)
})
