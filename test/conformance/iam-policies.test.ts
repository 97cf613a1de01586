import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import {
  allow,
  assertQueryError,
  createIamUser,
  eventually,
  freshName,
  policy,
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

const readOnly = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'

test('an inline policy is kept as it was written, and ends with its deletion', async () => {
  const { name, client } = await createIamUser(root)
  const text = policy({ Effect: 'Allow', Action: ['s3:ListAllMyBuckets'], Resource: '*' })
  const named = { UserName: name, PolicyName: 'List' }
  assertQueryError(await root.iam('GetUserPolicy', named), 404, 'NoSuchEntity')
  await root.done('PutUserPolicy', { ...named, PolicyDocument: text })
  const kept = tag(await root.done('GetUserPolicy', named), 'PolicyDocument') ?? ''
  assert.equal(decodeURIComponent(kept), text)
  assert.match(await root.done('ListUserPolicies', { UserName: name }), /<member>List<\/member>/)
  await eventually(200, () => client.send({ path: '/' }))
  await root.done('DeleteUserPolicy', named)
  await eventually(403, () => client.send({ path: '/' }))
  assertQueryError(await root.iam('DeleteUserPolicy', named), 404, 'NoSuchEntity')
})

test('policies that are none are refused, and leave what was there', async () => {
  const { name } = await createIamUser(root)
  const put = (PolicyDocument: string) =>
    root.iam('PutUserPolicy', { UserName: name, PolicyName: 'p', PolicyDocument })
  for (const text of [
    'x',
    '{}',
    '{"Version":"2010-10-17","Statement":[]}',
    '{"Version":"2012-10-17"}',
    policy({ Effect: 'Allow', Action: 's3:*', Resource: '*', Principal: '*' }),
    policy({ Effect: 'Maybe', Action: 's3:*', Resource: '*' }),
    policy(
      { Sid: 'a', Effect: 'Allow', Action: '*', Resource: '*' },
      { Sid: 'a', Effect: 'Allow', Action: '*', Resource: '*' },
    ),
  ])
    assertQueryError(await put(text), 400, 'MalformedPolicyDocument')
  assertQueryError(await put(''), 400, 'ValidationError')
  const long = policy({ Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::${'x'.repeat(2048)}` })
  assertQueryError(await put(long), 409, 'LimitExceeded')
  assert.deepEqual(tags(await root.done('ListUserPolicies', { UserName: name }), 'member'), [])
})

test('managed policies are attached and detached, those of AWS by their names', async () => {
  const { name } = await createIamUser(root)
  const attach = { UserName: name, PolicyArn: readOnly }
  assertQueryError(await root.iam('DetachUserPolicy', attach), 404, 'NoSuchEntity')
  await root.done('AttachUserPolicy', attach)
  await root.done('AttachUserPolicy', attach)
  const listed = await root.done('ListAttachedUserPolicies', { UserName: name })
  assert.deepEqual(tags(listed, 'PolicyName'), ['AmazonS3ReadOnlyAccess'])
  assertQueryError(await root.iam('DeleteUser', { UserName: name }), 409, 'DeleteConflict')
  await root.done('DetachUserPolicy', attach)
  const unknown = { UserName: name, PolicyArn: 'arn:aws:iam::aws:policy/NoSuch' }
  assertQueryError(await root.iam('AttachUserPolicy', unknown), 404, 'NoSuchEntity')
  assertQueryError(
    await root.iam('AttachUserPolicy', { UserName: name, PolicyArn: 'x' }),
    400,
    'InvalidInput',
  )
})

test('a customer policy: created, attached, in force, versioned, deleted', async () => {
  const { name, client } = await createIamUser(root)
  const created = await root.done('CreatePolicy', {
    PolicyName: freshName('P'),
    PolicyDocument: allow('s3:ListAllMyBuckets'),
  })
  const PolicyArn = tag(created, 'Arn') ?? ''
  assert.equal(tag(created, 'AttachmentCount'), '0')
  await root.done('AttachUserPolicy', { UserName: name, PolicyArn })
  assert.equal(tag(await root.done('GetPolicy', { PolicyArn }), 'AttachmentCount'), '1')
  await eventually(200, () => client.send({ path: '/' }))
  const denying = policy({ Effect: 'Deny', Action: '*', Resource: '*' })
  const version = await root.done('CreatePolicyVersion', {
    PolicyArn,
    PolicyDocument: denying,
    SetAsDefault: 'true',
  })
  assert.equal(tag(version, 'VersionId'), 'v2')
  await eventually(403, () => client.send({ path: '/' }))
  const shown = tag(await root.done('GetPolicyVersion', { PolicyArn, VersionId: 'v2' }), 'Document') ?? ''
  assert.equal(decodeURIComponent(shown), denying)
  assert.deepEqual(tags(await root.done('ListPolicyVersions', { PolicyArn }), 'VersionId'), ['v2', 'v1'])
  assertQueryError(
    await root.iam('DeletePolicyVersion', { PolicyArn, VersionId: 'v2' }),
    409,
    'DeleteConflict',
  )
  await root.done('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v1' })
  await root.done('DeletePolicyVersion', { PolicyArn, VersionId: 'v2' })
  assertQueryError(await root.iam('DeletePolicy', { PolicyArn }), 409, 'DeleteConflict')
  await root.done('DetachUserPolicy', { UserName: name, PolicyArn })
  await root.done('DeletePolicy', { PolicyArn })
  assertQueryError(await root.iam('GetPolicy', { PolicyArn }), 404, 'NoSuchEntity')
})

test('ListPolicies shows ours, those of AWS, or both, page by page', async () => {
  const name = freshName('Listed')
  await root.done('CreatePolicy', { PolicyName: name, PolicyDocument: allow('s3:*') })
  const names = async (Scope: string) =>
    tags(await root.done('ListPolicies', { Scope, MaxItems: '1000' }), 'PolicyName')
  assert.ok((await names('Local')).includes(name))
  assert.ok((await names('AWS')).includes('AmazonS3FullAccess'))
  assert.ok(!(await names('AWS')).includes(name))
  const all = await names('All')
  const paged: string[] = []
  for (let marker: string | undefined = ''; marker !== undefined; ) {
    const page: string = await root.done('ListPolicies', {
      MaxItems: '2',
      ...(marker === '' ? {} : { Marker: marker }),
    })
    paged.push(...tags(page, 'PolicyName'))
    marker = tag(page, 'Marker')
  }
  assert.deepEqual(paged, all)
  const foreign = await new QueryClient(at.other).done('ListPolicies', { Scope: 'Local' })
  assert.ok(!foreign.includes(name))
})

test('a permissions boundary bounds what policies allow', async () => {
  const { name, client } = await createIamUser(root)
  await root.done('PutUserPolicy', { UserName: name, PolicyName: 'all', PolicyDocument: allow('*') })
  await eventually(200, () => client.iam('ListUsers'))
  const boundary = { UserName: name, PermissionsBoundary: readOnly }
  await root.done('PutUserPermissionsBoundary', boundary)
  assertQueryError(await eventually(403, () => client.iam('ListUsers')), 403, 'AccessDenied')
  assert.equal((await client.send({ path: '/' })).status, 200)
  assert.equal(tag(await root.done('GetUser', { UserName: name }), 'PermissionsBoundaryArn'), readOnly)
  await root.done('DeleteUserPermissionsBoundary', { UserName: name })
  await eventually(200, () => client.iam('ListUsers'))
})
