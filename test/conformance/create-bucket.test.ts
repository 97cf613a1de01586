import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { classicBucketDefaults } from '../../gateway/bucket-defaults.ts'
import { assertError, putObject } from './ask.ts'
import { bob, type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

function configuration(location: string): string {
  return `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${location}</LocationConstraint></CreateBucketConfiguration>`
}

test('CreateBucket takes our region or none, and no other', async () => {
  const { region } = at.s3.endpoint
  const name = await at.bucket()
  const put = (suffix: string, body: string) => at.s3.send({ method: 'PUT', path: `/${name}${suffix}`, body })
  const made = await put('-a', configuration(region))
  assert.equal(made.status, 200, made.text)
  assert.equal(made.headers.location, `/${name}-a`)
  assert.equal((await put('-b', '')).status, 200)
  assertError(await put('-c', configuration('us-west-2')), 400, 'IllegalLocationConstraintException')
  assertError(await put('-c', configuration('the moon')), 400, 'InvalidLocationConstraint')
  assertError(await put('-c', '<CreateBucketConfiguration>'), 400, 'MalformedXML')
  assertError(await put('-c', 'x'.repeat(100_000)), 400, 'MaxMessageLengthExceeded')
})

test('CreateBucket tells an own bucket from one of somebody else', async () => {
  const name = await at.bucket()
  assertError(await at.s3.send({ method: 'PUT', path: `/${name}` }), 409, 'BucketAlreadyOwnedByYou')
  assertError(await at.other.send({ method: 'PUT', path: `/${name}` }), 409, 'BucketAlreadyExists')
})

test('in us-east-1 CreateBucket is repeatable for the owner, and buckets have no location', async () => {
  const gateway = await startLocalGateway({ region: 'us-east-1', bucketDefaults: classicBucketDefaults })
  try {
    const s3 = gateway.client()
    for (let i = 0; i < 2; i++) assert.equal((await s3.send({ method: 'PUT', path: '/again' })).status, 200)
    await putObject(s3, '/again/kept')
    assert.equal((await s3.send({ method: 'PUT', path: '/again' })).status, 200)
    assert.equal((await s3.send({ path: '/again/kept' })).status, 200)
    assert.match(
      (await s3.send({ path: '/again?location' })).text,
      /<LocationConstraint[^>]*><\/LocationConstraint>$/,
    )
    const listed = { 'x-amz-acl': 'public-read' }
    const again = (headers: Record<string, string>) => s3.send({ method: 'PUT', path: '/again', headers })
    assertError(await again(listed), 409, 'BucketAlreadyExists')
    assertError(await again({ 'x-amz-bucket-object-lock-enabled': 'true' }), 409, 'BucketAlreadyOwnedByYou')
    const open = { method: 'PUT', path: '/listed', headers: listed }
    assert.equal((await s3.send(open)).status, 200)
    assertError(await s3.send({ method: 'PUT', path: '/listed' }), 409, 'BucketAlreadyExists')
    const other = gateway.client(bob)
    assertError(await other.send({ method: 'PUT', path: '/again' }), 409, 'BucketAlreadyExists')
  } finally {
    await gateway.close()
  }
})

test('CreateBucket refuses names that are none', async () => {
  for (const name of ['ab', 'Upper-Case', 'under_score', '192.168.5.4', 'a'.repeat(64), 'xn--abc']) {
    assertError(await at.s3.send({ method: 'PUT', path: `/${name}` }), 400, 'InvalidBucketName')
  }
})

test('CreateBucket refuses lists that would not count, or let in nobody that exists', async () => {
  const name = await at.bucket()
  const owner = { 'x-amz-object-ownership': 'ObjectWriter' }
  const enforced = { 'x-amz-object-ownership': 'BucketOwnerEnforced' }
  const refused: [Record<string, string>, string][] = [
    [{ ...enforced, 'x-amz-acl': 'public-read' }, 'InvalidBucketAclWithObjectOwnership'],
    [{ ...owner, 'x-amz-acl': 'public-ready' }, 'InvalidArgument'],
    [{ ...owner, 'x-amz-grant-read': 'id=nobody-at-all' }, 'InvalidArgument'],
    [{ 'x-amz-object-ownership': 'Everybody' }, 'InvalidArgument'],
  ]
  if (at.local) {
    // This gateway blocks public access to new buckets.
    refused.push([{ ...owner, 'x-amz-acl': 'public-read' }, 'InvalidBucketAclWithBlockPublicAccessError'])
  }
  for (const [headers, code] of refused) {
    assertError(await at.s3.send({ method: 'PUT', path: `/${name}-x`, headers }), 400, code)
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${name}-x` })).status, 404)
  const headers = { ...owner, 'x-amz-acl': 'private' }
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${name}-x`, headers })).status, 200)
})

test('CreateBucket with Object Lock makes a bucket with versioning that stays on', async () => {
  const name = `${await at.bucket()}-locked`
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${name}`, headers })).status, 200)
  const lock = await at.s3.send({ path: `/${name}?object-lock` })
  assert.equal(tag(lock.text, 'ObjectLockEnabled'), 'Enabled')
  assert.equal(tag((await at.s3.send({ path: `/${name}?versioning` })).text, 'Status'), 'Enabled')
  const body = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>'
  const suspend = await at.s3.send({ method: 'PUT', path: `/${name}?versioning`, body })
  assertError(suspend, 409, 'InvalidBucketState')
  const wrong = { 'x-amz-bucket-object-lock-enabled': 'perhaps' }
  assertError(await at.s3.send({ method: 'PUT', path: `/${name}-2`, headers: wrong }), 400, 'InvalidArgument')
})

test('CreateBucket takes tags along, or is refused with them', async () => {
  const name = `${await at.bucket()}-tagged`
  const body = (inner: string) => `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`
  const put = (inner: string) => at.s3.send({ method: 'PUT', path: `/${name}`, body: body(inner) })
  const one = '<Tag><Key>a</Key><Value>b</Value></Tag>'
  assertError(await put(`<Tags>${one}${one}</Tags>`), 400, 'InvalidTag')
  assertError(await put('<Bucket><Type>Directory</Type></Bucket>'), 501, 'NotImplemented')
  assertError(await put('<Other/>'), 400, 'MalformedXML')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${name}` })).status, 404)
  assert.equal((await put(`<Tags>${one}</Tags>`)).status, 200)
  assert.equal(tag((await at.s3.send({ path: `/${name}?tagging` })).text, 'Key'), 'a')
})

test('CreateBucket is not for those who do not sign', async () => {
  const name = `${await at.bucket()}-nobody`
  const answer = await at.s3.send({ method: 'PUT', path: `/${name}`, anonymous: true })
  assertError(answer, 403, 'AccessDenied')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${name}` })).status, 404)
})
