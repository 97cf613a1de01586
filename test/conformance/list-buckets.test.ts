import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('ListBuckets shows the buckets of the caller, by name, with owner and region', async () => {
  const mine = [await at.bucket(), await at.bucket()].sort()
  const answer = await at.s3.send({ path: '/' })
  assert.equal(answer.status, 200)
  assert.deepEqual(
    tags(answer.text, 'Name').filter((name) => mine.includes(name)),
    mine,
  )
  assert.match(tag(answer.text, 'CreationDate') ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
  assert.equal(tag(answer.text, 'BucketRegion'), at.s3.endpoint.region)
  assert.ok(tag(answer.text, 'ID'))
  const theirs = await at.other.send({ path: '/' })
  assert.deepEqual(
    tags(theirs.text, 'Name').filter((name) => mine.includes(name)),
    [],
  )
})

test('ListBuckets pages by max-buckets and filters by prefix', async () => {
  const names = [await at.bucket(), await at.bucket(), await at.bucket()].sort()
  const found: string[] = []
  let token = ''
  do {
    const answer = await at.s3.send({ path: `/?continuation-token=${token}&max-buckets=1&prefix=test-` })
    assert.equal(tags(answer.text, 'Name').length, 1)
    found.push(...tags(answer.text, 'Name'))
    token = tag(answer.text, 'ContinuationToken') ?? ''
  } while (token !== '')
  assert.deepEqual(
    found.filter((name) => names.includes(name)),
    names,
  )
  const one = await at.s3.send({ path: `/?prefix=${names[1]}` })
  assert.deepEqual(tags(one.text, 'Name'), [names[1]])
  const none = await at.s3.send({ path: '/?prefix=%C3%BC' })
  assert.deepEqual(tags(none.text, 'Name'), [])
})

test('ListBuckets refuses sizes and tokens that are none', async () => {
  assertError(await at.s3.send({ path: '/?max-buckets=0' }), 400, 'InvalidArgument')
  assertError(await at.s3.send({ path: '/?max-buckets=10001' }), 400, 'InvalidArgument')
  assert.equal((await at.s3.send({ path: '/?max-buckets=10000' })).status, 200)
  assertError(await at.s3.send({ path: '/?continuation-token=x' }), 400, 'InvalidArgument')
})

test('ListBuckets of another region is empty', async () => {
  await at.bucket()
  const answer = await at.s3.send({ path: '/?bucket-region=us-west-2' })
  assert.deepEqual(tags(answer.text, 'Name'), [])
})

test('ListBuckets of somebody who does not sign is empty', async () => {
  await at.bucket()
  const answer = await at.s3.send({ path: '/', anonymous: true })
  assert.equal(answer.status, 200, answer.text)
  assert.match(answer.text, /<Buckets><\/Buckets>/)
})
