import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBucket } from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const controls = (...rules: string[]) =>
  `<OwnershipControls>${rules.map((rule) => `<Rule><ObjectOwnership>${rule}</ObjectOwnership></Rule>`).join('')}</OwnershipControls>`

test('BucketOwnerEnforced turns lists off, and is refused while the list grants others something', async () => {
  const bucket = await openBucket(at)
  const put = (body: string) => at.s3.send({ method: 'PUT', path: `/${bucket}?ownershipControls=`, body })
  const list = (acl: string) =>
    at.s3.send({ method: 'PUT', path: `/${bucket}?acl=`, headers: { 'x-amz-acl': acl } })
  assert.equal((await list('public-read')).status, 200)
  assertError(await put(controls('BucketOwnerEnforced')), 400, 'InvalidBucketAclWithObjectOwnership')
  assert.equal((await list('private')).status, 200)
  assert.equal((await put(controls('BucketOwnerEnforced'))).status, 200)
  assertError(await list('private'), 400, 'AccessControlListNotSupported')
  const write = (acl: string) =>
    at.s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x', headers: { 'x-amz-acl': acl } })
  assertError(await write('private'), 400, 'AccessControlListNotSupported')
  assert.equal((await write('bucket-owner-full-control')).status, 200)
})

test('PutBucketOwnershipControls takes one rule of a known kind', async () => {
  const bucket = await openBucket(at)
  const put = (body: string) => at.s3.send({ method: 'PUT', path: `/${bucket}?ownershipControls=`, body })
  for (const body of ['', controls(), controls('ObjectWriter', 'ObjectWriter'), controls('Everybody')]) {
    assertError(await put(body), 400, 'MalformedXML')
  }
  assert.equal((await put(controls('BucketOwnerPreferred'))).status, 200)
})
