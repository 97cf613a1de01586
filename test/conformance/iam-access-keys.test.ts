import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import {
  allow,
  assertQueryError,
  createIamUser,
  credentialsIn,
  eventually,
  QueryClient,
} from './query-client.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

test('CreateAccessKey shows the secret once; lists never do', async () => {
  const { name } = await createIamUser(root)
  const created = await root.done('CreateAccessKey', { UserName: name })
  const { accessKeyId, secretAccessKey } = credentialsIn(created)
  assert.match(accessKeyId, /^AKIA[A-Z2-7]{16}$/)
  assert.equal(secretAccessKey.length, 40)
  assert.equal(tag(created, 'Status'), 'Active')
  const listed = await root.done('ListAccessKeys', { UserName: name })
  assert.ok(tags(listed, 'AccessKeyId').includes(accessKeyId))
  assert.ok(!listed.includes(secretAccessKey) && !listed.includes('SecretAccessKey'))
  assertQueryError(await root.iam('CreateAccessKey', { UserName: name }), 409, 'LimitExceeded')
})

test('a key that is made inactive stops working within seconds, and works again when it is active', async () => {
  const user = await createIamUser(root)
  await root.done('PutUserPolicy', { UserName: user.name, PolicyName: 'p', PolicyDocument: allow('s3:*') })
  const list = () => user.client.send({ path: '/' })
  await eventually(200, list)
  const key = { UserName: user.name, AccessKeyId: user.client.keys.accessKeyId }
  await root.done('UpdateAccessKey', { ...key, Status: 'Inactive' })
  assertError(await eventually(403, list), 403, 'InvalidAccessKeyId')
  assertQueryError(await user.client.sts('GetCallerIdentity'), 403, 'InvalidClientTokenId')
  assert.match(await root.done('ListAccessKeys', { UserName: user.name }), /<Status>Inactive</)
  await root.done('UpdateAccessKey', { ...key, Status: 'Active' })
  await eventually(200, list)
  await root.done('DeleteAccessKey', key)
  assertError(await eventually(403, list), 403, 'InvalidAccessKeyId')
  assertQueryError(await root.iam('DeleteAccessKey', key), 404, 'NoSuchEntity')
})

test('keys are listed page by page', async () => {
  const { name } = await createIamUser(root)
  await root.done('CreateAccessKey', { UserName: name })
  const all = tags(await root.done('ListAccessKeys', { UserName: name }), 'AccessKeyId')
  const first = await root.done('ListAccessKeys', { UserName: name, MaxItems: '1' })
  assert.equal(tag(first, 'IsTruncated'), 'true')
  const rest = await root.done('ListAccessKeys', { UserName: name, Marker: tag(first, 'Marker') ?? '' })
  assert.deepEqual([...tags(first, 'AccessKeyId'), ...tags(rest, 'AccessKeyId')], all)
})

test("a root manages its own keys without a name, and nobody's by the key's id alone", async () => {
  const created = credentialsIn(await root.done('CreateAccessKey'))
  await root.as(created).done('GetUser')
  await root.done('UpdateAccessKey', { AccessKeyId: created.accessKeyId, Status: 'Inactive' })
  const other = new QueryClient(at.other)
  assertQueryError(
    await other.iam('DeleteAccessKey', { AccessKeyId: created.accessKeyId }),
    404,
    'NoSuchEntity',
  )
  await root.done('DeleteAccessKey', { AccessKeyId: created.accessKeyId })
  assertQueryError(
    await root.iam('UpdateAccessKey', { AccessKeyId: created.accessKeyId, Status: 'Active' }),
    404,
    'NoSuchEntity',
  )
})
