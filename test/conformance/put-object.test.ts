import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('an object that was put is got, headed, listed and deleted', async () => {
  const bucket = await at.bucket()
  const put = await at.s3.send({ method: 'PUT', path: `/${bucket}/a%20b/%C3%BC.txt`, body: 'hello' })
  assert.equal(put.status, 200, put.text)
  assert.equal(put.headers.etag, '"5d41402abc4b2a76b9719d911017c592"')
  const got = await at.s3.send({ path: `/${bucket}/a%20b/%C3%BC.txt` })
  assert.equal(got.status, 200, got.text)
  assert.equal(got.text, 'hello')
  const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/a%20b/%C3%BC.txt` })
  assert.equal(head.headers['content-length'], '5')
  const list = await at.s3.send({ path: `/${bucket}?list-type=2` })
  assert.match(list.text, /<Key>a b\/ü.txt<\/Key>/)
  const gone = await at.s3.send({ method: 'DELETE', path: `/${bucket}/a%20b/%C3%BC.txt` })
  assert.equal(gone.status, 204)
  const missing = await at.s3.send({ path: `/${bucket}/a%20b/%C3%BC.txt` })
  assert.equal(missing.status, 404)
  assert.match(missing.text, /<Code>NoSuchKey<\/Code>/)
})
