/**
 * What disks, logs and metrics of a real federation tell of objects under a customer's key: nothing. And a key that its
 * owner destroys takes its objects along while everything runs.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { addNamedKeys, destroyNamedKey } from '../../node/io/kms-file.ts'
import { completeDocument } from '../conformance/ask.ts'
import { S3Client, tag } from '../conformance/s3-client.ts'
import { startFederation } from './start-federation.ts'

test('neither a customer key nor what it protects is in any file, log line or metric', async (t) => {
  const federation = await startFederation(t, { sites: 3, nodesPerSite: 1 })
  await federation.untilHealthy()
  const { endpoint, region, accessKeyId, secretAccessKey } = federation.target
  const url = new URL(endpoint)
  const s3 = new S3Client(
    { host: url.hostname, port: Number(url.port), region },
    { accessKeyId, secretAccessKey },
  )
  t.after(() => s3.close())
  const send = async (request: Parameters<S3Client['send']>[0], status = 200) => {
    const answer = await s3.send(request)
    assert.equal(answer.status, status, `${request.method} ${request.path} ${answer.text}`)
    return answer
  }

  const key = randomBytes(32)
  const md5 = createHash('md5').update(key).digest()
  const name = 'x-amz-server-side-encryption-customer-'
  const headersOf = (own: Buffer, prefix = name) => ({
    [`${prefix}algorithm`]: 'AES256',
    [`${prefix}key`]: own.toString('base64'),
    [`${prefix}key-md5`]: createHash('md5').update(own).digest('base64'),
  })
  const headers = headersOf(key)
  /** Found where it may be: proves that the search below finds. */
  const control = randomBytes(16).toString('hex')
  const small = randomBytes(4096)
  const large = randomBytes(600_000)

  await send({ method: 'PUT', path: '/akten' })
  await send({
    method: 'PUT',
    path: '/akten/small',
    body: small,
    headers: { ...headers, 'x-amz-meta-control': control },
  })
  await send({ method: 'PUT', path: '/akten/large', body: large, headers })
  const begin = await send({ method: 'POST', path: '/akten/parts?uploads=', headers })
  const uploadId = tag(begin.text, 'UploadId') ?? ''
  const part = await send({
    method: 'PUT',
    path: `/akten/parts?partNumber=1&uploadId=${uploadId}`,
    body: large,
    headers,
  })
  const body = completeDocument([part.headers.etag ?? ''])
  await send({ method: 'POST', path: `/akten/parts?uploadId=${uploadId}`, body, headers })
  const source = headersOf(key, 'x-amz-copy-source-server-side-encryption-customer-')
  await send({
    method: 'PUT',
    path: '/akten/copy',
    headers: { 'x-amz-copy-source': '/akten/small', ...source, ...headers },
  })
  // Refusals end up in logs sooner than answers.
  for (const path of ['/akten/small', '/akten/large', '/akten/none']) {
    await send({ path, headers: headersOf(randomBytes(32)) }, path.endsWith('none') ? 404 : 400)
    await send({ path, headers: { ...headers, [`${name}key-md5`]: 'x' } }, 400)
    await send({ path, headers, keys: { accessKeyId, secretAccessKey: 'wrong' } }, 403)
  }
  for (const [path, content] of [
    ['small', small],
    ['large', large],
    ['parts', large],
    ['copy', small],
  ] as const) {
    assert.ok((await send({ path: `/akten/${path}`, headers })).bytes.equals(content), path)
  }

  const secrets: [string, Buffer][] = [
    ['the key', key],
    ['the key in Base64', Buffer.from(key.toString('base64').slice(0, 42))],
    ['the key in hex', Buffer.from(key.toString('hex'))],
    ['its MD5', md5],
    ['its MD5 in Base64', Buffer.from(md5.toString('base64').slice(0, 21))],
    ['its MD5 in hex', Buffer.from(md5.toString('hex'))],
    ['content', small.subarray(1000, 1032)],
    ['content of shards', large.subarray(300_000, 300_032)],
    ['the MD5 of content in hex', Buffer.from(createHash('md5').update(small).digest('hex'))],
  ]
  const metrics = await Promise.all(
    [federation.file.gateway, ...federation.file.nodes].map(async ({ adminUrl }) =>
      Buffer.from(await (await fetch(`${adminUrl}/metrics`)).text()),
    ),
  )
  const search = () => {
    const places = new Map(metrics.map((text, index) => [`metrics ${index}`, text]))
    for (const entry of readdirSync(federation.dataDir, { recursive: true, withFileTypes: true })) {
      if (entry.isFile())
        places.set(join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name)))
    }
    return places
  }
  let controls = 0
  for (const [place, bytes] of search()) {
    for (const [what, secret] of secrets) assert.ok(!bytes.includes(secret), `${what} is in ${place}`)
    if (bytes.includes(control)) controls++
  }
  assert.ok(controls > 0, 'the search finds what is there in the clear')

  // Erasure by the owner, with everything running.
  const { kmsFile } = federation.local.layout
  await addNamedKeys(kmsFile, ['fall-4711'])
  const kms = {
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'fall-4711',
  }
  await send({ method: 'PUT', path: '/akten/kms', body: large, headers: kms })
  assert.ok((await send({ path: '/akten/kms' })).bytes.equals(large))
  await destroyNamedKey(kmsFile, 'fall-4711')
  assert.equal(tag((await send({ path: '/akten/kms' }, 400)).text, 'Code'), 'KMS.NotFoundException')
  assert.ok((await send({ path: '/akten/small', headers })).bytes.equals(small), 'others are as they were')
})
