import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'
import { allow, assertQueryError, createIamUser, eventually, freshName, QueryClient } from './query-client.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
let root: QueryClient
before(async () => {
  at = await startConformance()
  root = new QueryClient(at.s3)
})
after(() => at.close())

async function createGroup(): Promise<string> {
  const name = freshName('Team')
  const text = await root.done('CreateGroup', { GroupName: name, Path: '/a/' })
  assert.match(tag(text, 'GroupId') ?? '', /^AGPA/)
  assert.ok(tag(text, 'Arn')?.endsWith(`:group/a/${name}`))
  return name
}

test('a member may do what the policies of the group allow, and no more when he has left', async () => {
  const group = await createGroup()
  const user = await createIamUser(root)
  await root.done('AddUserToGroup', { GroupName: group, UserName: user.name })
  assert.equal((await user.client.send({ path: '/' })).status, 403)
  await root.done('PutGroupPolicy', {
    GroupName: group,
    PolicyName: 'p',
    PolicyDocument: allow('s3:ListAllMyBuckets'),
  })
  await eventually(200, () => user.client.send({ path: '/' }))
  await root.done('RemoveUserFromGroup', { GroupName: group, UserName: user.name })
  await eventually(403, () => user.client.send({ path: '/' }))
  await root.done('AddUserToGroup', { GroupName: group, UserName: user.name })
  await root.done('DeleteGroupPolicy', { GroupName: group, PolicyName: 'p' })
  await root.done('AttachGroupPolicy', {
    GroupName: group,
    PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
  })
  await eventually(200, () => user.client.send({ path: '/' }))
  assert.equal(
    (await user.client.send({ method: 'PUT', path: `/${freshName('b').toLowerCase()}` })).status,
    403,
  )
})

test('GetGroup and ListGroupsForUser agree about members, through renaming', async () => {
  const group = await createGroup()
  const user = await createIamUser(root)
  await root.done('AddUserToGroup', { GroupName: group, UserName: user.name })
  await root.done('AddUserToGroup', { GroupName: group.toUpperCase(), UserName: user.name })
  const renamed = freshName('Renamed')
  await root.done('UpdateGroup', { GroupName: group, NewGroupName: renamed, NewPath: '/b/' })
  assert.deepEqual(tags(await root.done('GetGroup', { GroupName: renamed }), 'UserName'), [user.name])
  assert.deepEqual(tags(await root.done('ListGroupsForUser', { UserName: user.name }), 'GroupName'), [
    renamed,
  ])
  assertQueryError(await root.iam('GetGroup', { GroupName: group }), 404, 'NoSuchEntity')
  assert.deepEqual(tags(await root.done('ListGroups', { PathPrefix: '/b/' }), 'GroupName'), [renamed])
})

test('DeleteGroup refuses while there are members or policies', async () => {
  const group = await createGroup()
  const user = await createIamUser(root)
  await root.done('AddUserToGroup', { GroupName: group, UserName: user.name })
  assertQueryError(await root.iam('DeleteGroup', { GroupName: group }), 409, 'DeleteConflict')
  await root.done('RemoveUserFromGroup', { GroupName: group, UserName: user.name })
  await root.done('PutGroupPolicy', { GroupName: group, PolicyName: 'p', PolicyDocument: allow('s3:*') })
  assertQueryError(await root.iam('DeleteGroup', { GroupName: group }), 409, 'DeleteConflict')
  await root.done('DeleteGroupPolicy', { GroupName: group, PolicyName: 'p' })
  await root.done('DeleteGroup', { GroupName: group })
  assertQueryError(await root.iam('DeleteGroup', { GroupName: group }), 404, 'NoSuchEntity')
})

test('nobody outside the account is put into its groups', async () => {
  const group = await createGroup()
  const stranger = await createIamUser(new QueryClient(at.other))
  const add = { GroupName: group, UserName: stranger.name }
  assertQueryError(await root.iam('AddUserToGroup', add), 404, 'NoSuchEntity')
  assertQueryError(await new QueryClient(at.other).iam('AddUserToGroup', add), 404, 'NoSuchEntity')
})
