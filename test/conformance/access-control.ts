/** Shorthands for tests of access: buckets whose lists count, policies, and who may do what. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Conformance } from './harness.ts'
import { type S3Client, tag } from './s3-client.ts'

export const allUsers = 'http://acs.amazonaws.com/groups/global/AllUsers'
export const authenticatedUsers = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'

/** A bucket in which lists count and nothing is blocked. */
export async function openBucket(
  at: Conformance,
  headers: Readonly<Record<string, string>> = { 'x-amz-object-ownership': 'ObjectWriter' },
): Promise<string> {
  const bucket = `test-${randomBytes(8).toString('hex')}`
  const made = await at.s3.send({ method: 'PUT', path: `/${bucket}`, headers })
  assert.equal(made.status, 200, made.text)
  const opened = await at.s3.send({ method: 'DELETE', path: `/${bucket}?publicAccessBlock=` })
  assert.equal(opened.status, 204, opened.text)
  return bucket
}

/** The account behind a client. */
export async function accountIdOf(client: S3Client): Promise<string> {
  const answer = await client.send({ path: '/' })
  return tag(answer.text, 'ID') ?? ''
}

export interface StatementFields {
  readonly Effect?: 'Allow' | 'Deny'
  readonly Principal?: unknown
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Condition?: unknown
}

/** A policy on all of a bucket, for everybody, unless statements say otherwise. */
export function policyText(bucket: string, ...statements: readonly StatementFields[]): string {
  const all = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({
      Effect: 'Allow',
      Principal: '*',
      Resource: all,
      ...statement,
    })),
  })
}

export async function putPolicy(
  client: S3Client,
  bucket: string,
  ...statements: readonly StatementFields[]
): Promise<void> {
  const body = policyText(bucket, ...statements)
  const answer = await client.send({ method: 'PUT', path: `/${bucket}?policy=`, body })
  assert.equal(answer.status, 204, answer.text)
}

/** An AccessControlPolicy document; grantees as markup. */
export function aclDocument(ownerId: string, ...grants: readonly (readonly [string, string])[]): string {
  const list = grants.map(
    ([grantee, permission]) =>
      `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x">${grantee}</Grantee><Permission>${permission}</Permission></Grant>`,
  )
  return `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>${ownerId}</ID></Owner><AccessControlList>${list.join('')}</AccessControlList></AccessControlPolicy>`
}

export const byId = (id: string): string => `<ID>${id}</ID>`
export const byUri = (uri: string): string => `<URI>${uri}</URI>`
export const byEmail = (email: string): string => `<EmailAddress>${email}</EmailAddress>`
