import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import { allow, assertQueryError, freshName, policy, QueryClient } from './query-client.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

const trust = policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: '*' } })

test('a role is created, shown, changed, listed and deleted', async () => {
  const RoleName = freshName('Reader')
  const created = await root.done('CreateRole', {
    RoleName,
    Path: '/x/',
    AssumeRolePolicyDocument: trust,
    Description: 'reads',
    MaxSessionDuration: '43200',
  })
  assert.match(tag(created, 'RoleId') ?? '', /^AROA/)
  assert.ok(tag(created, 'Arn')?.endsWith(`:role/x/${RoleName}`))
  assert.equal(decodeURIComponent(tag(created, 'AssumeRolePolicyDocument') ?? ''), trust)
  assertQueryError(
    await root.iam('CreateRole', { RoleName: RoleName.toUpperCase(), AssumeRolePolicyDocument: trust }),
    409,
    'EntityAlreadyExists',
  )
  const narrower = policy({
    Effect: 'Allow',
    Action: 'sts:AssumeRole',
    Principal: { AWS: 'arn:aws:iam::1:root' },
  })
  await root.done('UpdateAssumeRolePolicy', { RoleName, PolicyDocument: narrower })
  const updated = await root.done('UpdateRole', {
    RoleName,
    Description: 'writes',
    MaxSessionDuration: '3600',
  })
  assert.match(updated, /<UpdateRoleResult><\/UpdateRoleResult>/)
  const shown = await root.done('GetRole', { RoleName: RoleName.toLowerCase() })
  assert.equal(decodeURIComponent(tag(shown, 'AssumeRolePolicyDocument') ?? ''), narrower)
  assert.equal(tag(shown, 'Description'), 'writes')
  assert.equal(tag(shown, 'MaxSessionDuration'), '3600')
  assert.ok(tags(await root.done('ListRoles', { PathPrefix: '/x/' }), 'RoleName').includes(RoleName))
  await root.done('PutRolePolicy', { RoleName, PolicyName: 'p', PolicyDocument: allow('s3:*') })
  assertQueryError(await root.iam('DeleteRole', { RoleName }), 409, 'DeleteConflict')
  await root.done('DeleteRolePolicy', { RoleName, PolicyName: 'p' })
  await root.done('DeleteRole', { RoleName })
  assertQueryError(await root.iam('GetRole', { RoleName }), 404, 'NoSuchEntity')
})

test('trust policies that are none, and durations beyond bounds, are refused', async () => {
  const create = (parameters: Record<string, string>) =>
    root.iam('CreateRole', { RoleName: freshName('r'), AssumeRolePolicyDocument: trust, ...parameters })
  for (const AssumeRolePolicyDocument of [
    'x',
    allow('sts:AssumeRole'),
    policy({ Effect: 'Allow', Action: 's3:GetObject', Principal: '*' }),
    policy({ Effect: 'Allow', Action: 'sts:AssumeRole' }),
    policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: 'not an arn' } }),
  ])
    assertQueryError(await create({ AssumeRolePolicyDocument }), 400, 'MalformedPolicyDocument')
  assertQueryError(await create({ MaxSessionDuration: '60' }), 400, 'ValidationError')
  assertQueryError(await create({ MaxSessionDuration: '43201' }), 400, 'ValidationError')
})
