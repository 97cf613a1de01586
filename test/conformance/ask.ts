/** Shorthands of conformance tests: one line a request. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Answer, type S3Client, tag } from './s3-client.ts'

export function contentMd5(body: string | Buffer): string {
  return createHash('md5').update(body).digest('base64')
}

export function md5Hex(body: string | Buffer): string {
  return createHash('md5').update(body).digest('hex')
}

/** Puts an object and fails the test when that fails. */
export async function putObject(
  s3: S3Client,
  path: string,
  body: string | Buffer = 'content',
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await s3.send({ method: 'PUT', path, body, headers })
  assert.equal(answer.status, 200, answer.text)
  return answer
}

/** Fails the test unless the answer is this S3 error, with all that every error answer has. */
export function assertError(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, `${answer.status} ${answer.text}`)
  assert.equal(tag(answer.text, 'Code'), code, answer.text)
  assert.equal(answer.headers['content-type'], 'application/xml')
  assert.equal(tag(answer.text, 'RequestId'), answer.headers['x-amz-request-id'])
  assert.equal(tag(answer.text, 'HostId'), answer.headers['x-amz-id-2'])
}

/** Begins an upload; returns its id. */
export async function createUpload(
  s3: S3Client,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await s3.send({ method: 'POST', path: `${path}?uploads=`, headers })
  assert.equal(answer.status, 200, answer.text)
  return tag(answer.text, 'UploadId') ?? ''
}

/** Uploads one part; returns its ETag with quotes. */
export async function putPart(
  s3: S3Client,
  path: string,
  { uploadId, partNumber, body }: { uploadId: string; partNumber: number; body: string | Buffer },
): Promise<string> {
  const query = `partNumber=${partNumber}&uploadId=${uploadId}`
  const answer = await s3.send({ method: 'PUT', path: `${path}?${query}`, body })
  assert.equal(answer.status, 200, answer.text)
  return answer.headers.etag ?? ''
}

/** The body of CompleteMultipartUpload for these ETags, numbered from 1. */
export function completeDocument(etags: readonly string[], extra: readonly string[] = []): string {
  const parts = etags.map(
    (etag, index) =>
      `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag>${extra[index] ?? ''}</Part>`,
  )
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`
}

/** The smallest part that is not the last. */
export const partBytes = 5 * 1024 * 1024

/** Enables or suspends versioning, and fails the test when that fails. */
export async function setVersioning(
  s3: S3Client,
  bucket: string,
  status: 'Enabled' | 'Suspended',
): Promise<void> {
  const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
  const answer = await s3.send({ method: 'PUT', path: `/${bucket}?versioning`, body })
  assert.equal(answer.status, 200, answer.text)
}

/** The version id of an answer; fails the test when there is none. */
export function versionOf(answer: Answer): string {
  const versionId = answer.headers['x-amz-version-id']
  assert.ok(typeof versionId === 'string' && versionId !== '', `no version id: ${answer.status}`)
  return versionId
}

/** Puts an object into a bucket with versioning; returns the version's id. */
export async function putVersion(
  s3: S3Client,
  path: string,
  body: string | Buffer = 'content',
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  return versionOf(await putObject(s3, path, body, headers))
}
