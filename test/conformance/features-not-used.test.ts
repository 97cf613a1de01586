import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { operations } from '../../gateway/operations/index.ts'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

/** Operations on features that no bucket uses have one answer each; all of them together are in this table. */
const answers: Readonly<Record<string, { query: string; status: number; code?: string }>> = {
  GetBucketReplication: { query: 'replication', status: 404, code: 'ReplicationConfigurationNotFoundError' },
  DeleteBucketReplication: { query: 'replication', status: 204 },
  ...named('Analytics', 'analytics'),
  ...named('IntelligentTiering', 'intelligent-tiering'),
  ...named('Inventory', 'inventory'),
  ...named('Metrics', 'metrics'),
}

function named(name: string, subresource: string) {
  const one = { query: `${subresource}&id=a`, status: 404, code: 'NoSuchConfiguration' }
  return {
    [`GetBucket${name}Configuration`]: one,
    [`DeleteBucket${name}Configuration`]: one,
    [`ListBucket${name}Configurations`]: { query: subresource, status: 200 },
  }
}

test('features that no bucket uses are answered as AWS does where they are not configured', async () => {
  const bucket = await at.bucket()
  for (const [name, { query, status, code }] of Object.entries(answers)) {
    const operation = operations.find((each) => each.name === name)
    assert.ok(operation, name)
    const path = `/${bucket}?${query}`
    const answer = await at.s3.send({ method: operation.method, path })
    if (code !== undefined) assertError(answer, status, code)
    else assert.equal(answer.status, status, `${name} ${answer.text}`)
    if (status === 200) assert.equal(tag(answer.text, 'IsTruncated'), 'false', name)
    assertError(await at.other.send({ method: operation.method, path }), 403, 'AccessDenied')
  }
})

test('putting what no bucket can use is not implemented, rather than forgotten', async () => {
  const bucket = await at.bucket()
  for (const query of [
    'replication',
    'analytics&id=a',
    'intelligent-tiering&id=a',
    'inventory&id=a',
    'metrics&id=a',
  ]) {
    const answer = await at.s3.send({ method: 'PUT', path: `/${bucket}?${query}`, body: '<A/>' })
    assertError(answer, 501, 'NotImplemented')
  }
})
