import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { classicBucketDefaults } from '../../gateway/bucket-defaults.ts'
import { openBucket } from './access-control.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetBucketOwnershipControls answers what the bucket was created with', async () => {
  for (const ownership of ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter']) {
    const bucket = await openBucket(at, { 'x-amz-object-ownership': ownership })
    const path = `/${bucket}?ownershipControls=`
    assert.equal(tag((await at.s3.send({ path })).text, 'ObjectOwnership'), ownership)
    assertError(await at.other.send({ path }), 403, 'AccessDenied')
  }
})

test('new buckets begin as the gateway is told: as with AWS, or without settings', async () => {
  const aws = await startLocalGateway()
  const classic = await startLocalGateway({ bucketDefaults: classicBucketDefaults })
  try {
    for (const [gateway, ownership, block] of [
      [aws, 200, 200],
      [classic, 404, 404],
    ] as const) {
      const s3 = gateway.client()
      assert.equal((await s3.send({ method: 'PUT', path: '/begin' })).status, 200)
      assert.equal((await s3.send({ path: '/begin?ownershipControls=' })).status, ownership)
      assert.equal((await s3.send({ path: '/begin?publicAccessBlock=' })).status, block)
    }
  } finally {
    await aws.close()
    await classic.close()
  }
})
