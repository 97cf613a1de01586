import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error, s3Errors } from '../../../gateway/s3/errors.ts'
import { toS3Error } from '../../../gateway/s3/translate.ts'
import { ClusterError, type ClusterErrorCode, clusterErrors } from '../../../node/errors.ts'

const codes = Object.keys(clusterErrors) as ClusterErrorCode[]

test('every cluster error becomes an S3 error; what may be retried and cannot be the client is 409 or 503', () => {
  for (const code of codes) {
    const error = toS3Error(new ClusterError(code, 'inside'))
    assert.ok(Object.hasOwn(s3Errors, error.code), code)
    if (clusterErrors[code].retryable)
      assert.ok([409, 503].includes(error.status), `${code} -> ${error.code}`)
  }
})

test('503 tells clients when to come back', () => {
  for (const code of ['Overloaded', 'WriteQuorumUnavailable', 'GroupUnavailable', 'Timeout'] as const) {
    const error = toS3Error(new ClusterError(code, 'inside'))
    assert.equal(error.status, 503)
    assert.match(error.headers['retry-after'] ?? '', /^\d+$/)
  }
})

test('what is thrown inside is not told outside', () => {
  const error = toS3Error(new TypeError('secret detail'))
  assert.equal(error.code, 'InternalError')
  assert.ok(!error.message.includes('secret'))
  assert.ok(!toS3Error(new ClusterError('DecryptionFailed', 'secret')).message.includes('secret'))
  const own = new S3Error('NoSuchKey')
  assert.equal(toS3Error(own), own)
})
