/**
 * What minio-js does beyond bytes: versions, tags, Object Lock, lifecycle, encryption, a policy and a form, each read
 * back through the same client. Not its setBucketTagging, which takes AWS's 204 for an error.
 */
import assert from 'node:assert/strict'
import type { Client } from 'minio'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import { minioClient } from './minio-js.ts'

const region = 'eu-central-1'

export async function minioJsSteps(access: ClientAccess): Promise<void> {
  const client = minioClient(access)
  await versions(client)
  await tags(client)
  await lock(client)
  await documents(client)
  await form(client)
}

async function versions(client: Client): Promise<void> {
  const bucket = 'steps-versions'
  await client.makeBucket(bucket, region)
  await client.setBucketVersioning(bucket, { Status: 'Enabled' })
  assert.equal((await client.getBucketVersioning(bucket)).Status, 'Enabled')
  const first = await client.putObject(bucket, 'k', 'first')
  await client.putObject(bucket, 'k', 'second')
  const read = async (versionId: string) =>
    Buffer.concat(
      (await (await client.getObject(bucket, 'k', { versionId })).toArray()) as Buffer[],
    ).toString()
  assert.equal(await read(first.versionId ?? ''), 'first')
  await client.removeObject(bucket, 'k')
  await assert.rejects(client.statObject(bucket, 'k'), { code: 'NotFound' })
  assert.equal(await read(first.versionId ?? ''), 'first')
  const listed: unknown[] = []
  for await (const item of client.listObjects(bucket, '', true, { IncludeVersion: true })) listed.push(item)
  assert.equal(listed.length, 3)
}

async function tags(client: Client): Promise<void> {
  const bucket = 'steps-tags'
  await client.makeBucket(bucket, region)
  await client.putObject(bucket, 'k', 'x')
  await client.setObjectTagging(bucket, 'k', { art: 'standard' })
  assert.deepEqual(await client.getObjectTagging(bucket, 'k'), [{ Key: 'art', Value: 'standard' }])
  await client.removeObjectTagging(bucket, 'k', {} as never)
  assert.deepEqual(await client.getObjectTagging(bucket, 'k'), [])
}

async function lock(client: Client): Promise<void> {
  const bucket = 'steps-lock'
  await client.makeBucket(bucket, region, { ObjectLocking: true })
  const { versionId } = await client.putObject(bucket, 'k', 'evidence')
  const named = { versionId: versionId ?? '' }
  const retainUntilDate = new Date(Date.now() + 86_400_000).toISOString()
  await client.putObjectRetention(bucket, 'k', { ...named, mode: 'GOVERNANCE', retainUntilDate } as never)
  const retention = await client.getObjectRetention(bucket, 'k', named)
  assert.equal(retention?.mode, 'GOVERNANCE')
  await assert.rejects(client.removeObject(bucket, 'k', named), { code: 'AccessDenied' })
  await client.setObjectLegalHold(bucket, 'k', { ...named, status: 'ON' })
  assert.deepEqual(await client.getObjectLegalHold(bucket, 'k', named), { Status: 'ON' })
  await assert.rejects(client.removeObject(bucket, 'k', { ...named, governanceBypass: true }), {
    code: 'AccessDenied',
  })
  await client.setObjectLegalHold(bucket, 'k', { ...named, status: 'OFF' })
  await client.removeObject(bucket, 'k', { ...named, governanceBypass: true })
  // Behind the upload: over HTTP minio-js sends no digest, which a default retention asks for.
  await client.setObjectLockConfig(bucket, { mode: 'GOVERNANCE', unit: 'Days', validity: 1 })
  const config: Promise<{ mode?: string }> = client.getObjectLockConfig(bucket) as never
  assert.equal((await config).mode, 'GOVERNANCE')
}

async function documents(client: Client): Promise<void> {
  const bucket = 'steps-documents'
  await client.makeBucket(bucket, region)
  const rule = { ID: 'r', Status: 'Enabled', Filter: { Prefix: 'a/' }, Expiration: { Days: 30 } }
  await client.setBucketLifecycle(bucket, { Rule: [rule] } as never)
  assert.ok(JSON.stringify(await client.getBucketLifecycle(bucket)).includes('30'))
  await client.setBucketEncryption(bucket, {
    Rule: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
  })
  assert.ok(JSON.stringify(await client.getBucketEncryption(bucket)).includes('AES256'))
  const statement = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:DeleteObject',
    Resource: `arn:aws:s3:::${bucket}/*`,
  }
  await client.setBucketPolicy(bucket, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }))
  assert.equal(JSON.parse(await client.getBucketPolicy(bucket)).Statement[0].Effect, 'Deny')
  await client.putObject(bucket, 'k', 'x')
  await assert.rejects(client.removeObject(bucket, 'k'), { code: 'AccessDenied' })
}

async function form(client: Client): Promise<void> {
  const bucket = 'steps-form'
  await client.makeBucket(bucket, region)
  const policy = client.newPostPolicy()
  policy.setBucket(bucket)
  policy.setKey('from-a-form')
  policy.setExpires(new Date(Date.now() + 60_000))
  policy.setContentLengthRange(1, 100)
  const { postURL, formData } = await client.presignedPostPolicy(policy)
  const body = new FormData()
  for (const [name, value] of Object.entries(formData)) body.append(name, String(value))
  body.append('file', new Blob(['by a browser']))
  const answer = await fetch(postURL, { method: 'POST', body })
  assert.equal(answer.status, 204, await answer.text())
  assert.equal((await client.statObject(bucket, 'from-a-form')).size, 'by a browser'.length)
}
