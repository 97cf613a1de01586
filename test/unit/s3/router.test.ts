import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import * as sdk from '@aws-sdk/client-s3'
import { operations } from '../../../gateway/operations/index.ts'
import { createRouter } from '../../../gateway/router.ts'
import { parseAddress } from '../../../gateway/s3/address.ts'
import { codeOf } from './s3-error-of.ts'

const route = createRouter(operations)

function nameOf(method: string, url: string, headers: Record<string, string> = {}): string {
  return route({ method, address: parseAddress(url, 'h', []), headers }).name
}

test('the table holds every operation of the SDK model, and each once', () => {
  const names = operations.map((operation) => operation.name)
  assert.equal(new Set(names).size, names.length)
  const model = Object.keys(sdk)
    .filter((name) => name.endsWith('Command') && name !== '$Command')
    .map((name) => name.slice(0, -'Command'.length))
  assert.ok(model.length > 100)
  assert.deepEqual(
    model.filter((name) => !names.includes(name)),
    [],
  )
})

test('every operation has a file named as AWS names it, and every file is in the table', () => {
  const folder = new URL('../../../gateway/operations/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name !== 'index.ts' && name !== 'planned.ts')
  const expected = operations
    .filter((operation) => operation.kind !== 'planned')
    .map(({ name }) => `${name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.ts`)
  assert.deepEqual(files.sort(), expected.sort())
})

test('every implemented operation has a conformance test', () => {
  const folder = new URL('../../conformance/', import.meta.url)
  const tests = new Set(readdirSync(folder))
  for (const operation of operations) {
    if (operation.kind === 'planned') continue
    const file = `${operation.name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.test.ts`
    assert.ok(tests.has(file), file)
  }
})

test('requests find their operation', () => {
  const copy = { 'x-amz-copy-source': '/b/k' }
  assert.equal(nameOf('GET', '/'), 'ListBuckets')
  assert.equal(nameOf('GET', '/?x-id=ListBuckets'), 'ListBuckets')
  assert.equal(nameOf('GET', '/b'), 'ListObjects')
  assert.equal(nameOf('GET', '/b/?list-type=2&prefix=x'), 'ListObjectsV2')
  assert.equal(nameOf('GET', '/b?location'), 'GetBucketLocation')
  assert.equal(nameOf('GET', '/b?uploads'), 'ListMultipartUploads')
  assert.equal(nameOf('GET', '/b?versions'), 'ListObjectVersions')
  assert.equal(nameOf('GET', '/b?analytics&id=1'), 'GetBucketAnalyticsConfiguration')
  assert.equal(nameOf('GET', '/b?analytics'), 'ListBucketAnalyticsConfigurations')
  assert.equal(nameOf('PUT', '/b'), 'CreateBucket')
  assert.equal(nameOf('PUT', '/b?policy'), 'PutBucketPolicy')
  assert.equal(nameOf('POST', '/b?delete'), 'DeleteObjects')
  assert.equal(nameOf('POST', '/b'), 'PostObject')
  assert.equal(nameOf('PUT', '/b/k?x-id=PutObject'), 'PutObject')
  assert.equal(nameOf('PUT', '/b/k', copy), 'CopyObject')
  assert.equal(nameOf('PUT', '/b/k?partNumber=1&uploadId=u'), 'UploadPart')
  assert.equal(nameOf('PUT', '/b/k?partNumber=1&uploadId=u', copy), 'UploadPartCopy')
  assert.equal(nameOf('POST', '/b/k?uploads='), 'CreateMultipartUpload')
  assert.equal(nameOf('POST', '/b/k?uploadId=u'), 'CompleteMultipartUpload')
  assert.equal(nameOf('DELETE', '/b/k?uploadId=u'), 'AbortMultipartUpload')
  assert.equal(nameOf('GET', '/b/k?uploadId=u'), 'ListParts')
  assert.equal(nameOf('GET', '/b/k?tagging'), 'GetObjectTagging')
  assert.equal(nameOf('POST', '/b/k?select&select-type=2'), 'SelectObjectContent')
  assert.equal(nameOf('HEAD', '/b/k'), 'HeadObject')
})

test('a request that names a sub-resource never falls through to an operation without one', () => {
  for (const [method, url] of [
    ['PUT', '/b/k?policy'],
    ['PUT', '/b/k?uploadId=u'],
    ['DELETE', '/b/k?uploads'],
    ['POST', '/b/k?acl'],
    ['HEAD', '/b?acl'],
    ['GET', '/b/k?location'],
    ['GET', '/?policy'],
    ['PATCH', '/b/k'],
  ] as const) {
    assert.equal(
      codeOf(() => nameOf(method, url)),
      'MethodNotAllowed',
      `${method} ${url}`,
    )
  }
})

test('two sub-resources in one query are refused', () => {
  assert.equal(
    codeOf(() => nameOf('GET', '/b?acl&policy')),
    'InvalidArgument',
  )
  assert.equal(
    codeOf(() => nameOf('PUT', '/b/k?uploadId=u&partNumber=1&tagging')),
    'InvalidArgument',
  )
  assert.equal(nameOf('GET', '/b?acl&acl'), 'GetBucketAcl')
})

test('two rows that one request would match equally are refused at start', () => {
  const [first] = operations
  assert.ok(first)
  assert.throws(() => createRouter([first, { ...first, name: 'Twin' }]), /cannot be told/)
})
