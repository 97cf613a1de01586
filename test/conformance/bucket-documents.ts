/** Shorthands for the documents of a bucket: one line a request. */
import assert from 'node:assert/strict'
import { assertError } from './ask.ts'
import type { Conformance } from './harness.ts'
import { type Answer, type S3Client, tag } from './s3-client.ts'

export interface BucketDocument {
  readonly bucket: string
  get(client?: S3Client): Promise<Answer>
  put(body: string, client?: S3Client): Promise<Answer>
  delete(client?: S3Client): Promise<Answer>
}

/** The sub-resource of a bucket, which is a new one unless it is given. */
export async function bucketDocument(
  at: Conformance,
  subresource: string,
  given?: string,
): Promise<BucketDocument> {
  const bucket = given ?? (await at.bucket())
  const path = `/${bucket}?${subresource}=`
  return {
    bucket,
    get: (client = at.s3) => client.send({ path }),
    put: (body, client = at.s3) => client.send({ method: 'PUT', path, body }),
    delete: (client = at.s3) => client.send({ method: 'DELETE', path }),
  }
}

/** Puts a document and fails the test when that fails. */
export async function putDocument(document: BucketDocument, body: string): Promise<void> {
  const answer = await document.put(body)
  assert.ok(answer.status === 200 || answer.status === 204, `${answer.status} ${answer.text}`)
  assert.equal(answer.text, '')
}

/** A document that was never set is not found, and neither is one of a bucket that is not there or not ours. */
export async function assertNotSet(at: Conformance, subresource: string, code: string): Promise<void> {
  const document = await bucketDocument(at, subresource)
  assertError(await document.get(), 404, code)
  assertError(await document.get(at.other), 403, 'AccessDenied')
  const missing = await bucketDocument(at, subresource, `${document.bucket}-not`)
  assertError(await missing.get(), 404, 'NoSuchBucket')
}

/** Deleting removes what was put, may be repeated, and is the owner's. */
export async function assertDeletes(
  at: Conformance,
  subresource: string,
  { body, code }: { body: string; code: string },
): Promise<void> {
  const document = await bucketDocument(at, subresource)
  assert.equal((await document.delete()).status, 204)
  await putDocument(document, body)
  assert.equal((await document.get()).status, 200)
  assertError(await document.delete(at.other), 403, 'AccessDenied')
  assert.equal((await document.get()).status, 200)
  for (let time = 0; time < 2; time++) {
    const answer = await document.delete()
    assert.equal(answer.status, 204, answer.text)
    assert.equal(answer.text, '')
    assertError(await document.get(), 404, code)
  }
}

/** A feature that no bucket uses: one answer for its owner, whatever he asks, and none for others. */
export async function assertNotUsed(
  at: Conformance,
  { method, query, status, code }: { method: string; query: string; status: number; code?: string },
): Promise<void> {
  const path = `/${await at.bucket()}?${query}`
  const answer = await at.s3.send({ method, path })
  if (code === undefined) assert.equal(answer.status, status, answer.text)
  else assertError(answer, status, code)
  if (status === 200) assert.equal(tag(answer.text, 'IsTruncated'), 'false')
  assertError(await at.other.send({ method, path }), 403, 'AccessDenied')
}
