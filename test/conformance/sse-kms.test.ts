/** SSE-KMS, SSE-S3 and the bucket's default over raw HTTP, with the keys of a key store in this process. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, completeDocument, createUpload, md5Hex, putObject } from './ask.ts'
import { encryptionOf, sourceSseC, sseC, sseKms, sseS3 } from './encryption.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import { type S3Client, tag } from './s3-client.ts'

let at: LocalGateway
let s3: S3Client
before(async () => {
  at = await startLocalGateway()
  s3 = at.client()
})
after(() => at.close())

let buckets = 0
async function newBucket(rule?: string): Promise<string> {
  const bucket = `kms-${buckets++}-bucket`
  const created = await s3.send({ method: 'PUT', path: `/${bucket}` })
  assert.equal(created.status, 200, created.text)
  if (rule !== undefined) {
    const body = `<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>${rule}</Rule></ServerSideEncryptionConfiguration>`
    const set = await s3.send({ method: 'PUT', path: `/${bucket}?encryption=`, body })
    assert.equal(set.status, 200, set.text)
  }
  return bucket
}

function byDefault(algorithm: string, keyId?: string, bucketKey?: boolean): string {
  const key = keyId === undefined ? '' : `<KMSMasterKeyID>${keyId}</KMSMasterKeyID>`
  const flag = bucketKey === undefined ? '' : `<BucketKeyEnabled>${bucketKey}</BucketKeyEnabled>`
  return `<ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>${key}</ApplyServerSideEncryptionByDefault>${flag}`
}

const context = (pairs: unknown) => Buffer.from(JSON.stringify(pairs)).toString('base64')

test('AES256 is accepted and confirmed by every answer about an object', async () => {
  const bucket = await newBucket()
  const path = `/${bucket}/k`
  const confirmed = { 'x-amz-server-side-encryption': 'AES256' }
  for (const headers of [sseS3, {}]) {
    assert.deepEqual(encryptionOf(await putObject(s3, path, 'x', headers)), confirmed)
    for (const method of ['GET', 'HEAD']) {
      assert.deepEqual(encryptionOf(await s3.send({ method, path })), confirmed)
    }
    const begin = await s3.send({ method: 'POST', path: `${path}?uploads=`, headers })
    assert.deepEqual(encryptionOf(begin), confirmed)
    const copy = await s3.send({
      method: 'PUT',
      path: `${path}-copy`,
      headers: { 'x-amz-copy-source': path, ...headers },
    })
    assert.deepEqual(encryptionOf(copy), confirmed)
  }
  assert.equal((await s3.send({ path })).headers.etag, `"${md5Hex('x')}"`)
})

test('an object under a named key is read as any other, while the key exists', async () => {
  const bucket = await newBucket()
  at.federation.kms.create('akten-2026')
  const says = sseKms('akten-2026')
  const objects = [
    ['small', 'content', says],
    ['empty', '', says],
    ['large', 'A'.repeat(300_000), says],
    ['with-context', 'content', { ...says, 'x-amz-server-side-encryption-context': context({ Akte: '7' }) }],
  ] as const
  for (const [key, body, headers] of objects) {
    const path = `/${bucket}/${key}`
    const put = await putObject(s3, path, body, headers)
    assert.deepEqual(encryptionOf(put), headers, 'a write confirms the context, too')
    assert.equal(put.headers.etag, `"${md5Hex(body)}"`)
    for (const method of ['GET', 'HEAD']) {
      const read = await s3.send({ method, path })
      assert.deepEqual([read.status, encryptionOf(read)], [200, says])
      if (method === 'GET') assert.equal(read.text, body)
    }
  }
  at.federation.kms.destroy('akten-2026')
  for (const [key, body] of objects) {
    if (body === '') continue
    assertError(await s3.send({ path: `/${bucket}/${key}` }), 400, 'KMS.NotFoundException')
  }
  // A key of the same name is another key.
  at.federation.kms.create('akten-2026')
  const logged = console.error
  const messages: unknown[] = []
  console.error = (...parts: unknown[]) => messages.push(parts)
  try {
    assertError(await s3.send({ path: `/${bucket}/small` }), 500, 'InternalError')
  } finally {
    console.error = logged
  }
  assert.equal(messages.length, 1)
})

test('a key that does not exist is AWS error KMS.NotFoundException, before the body is read', async () => {
  const bucket = await newBucket()
  const path = `/${bucket}/k`
  for (const keyId of [
    'no-such-key',
    '__proto__',
    'arn:aws:kms:eu-central-1:123456789012:key/1',
    'k'.repeat(2000),
  ]) {
    const put = await s3.send({ method: 'PUT', path, body: 'x', headers: sseKms(keyId) })
    assertError(put, 400, 'KMS.NotFoundException')
    assert.equal(tag(put.text, 'Message'), `Key &apos;${keyId}&apos; does not exist`)
    const begin = await s3.send({ method: 'POST', path: `${path}?uploads=`, headers: sseKms(keyId) })
    assertError(begin, 400, 'KMS.NotFoundException')
  }
  assert.equal((await s3.send({ method: 'HEAD', path })).status, 404)
})

test('aws:kms without a key means the default key, if the owner has one', async () => {
  const bucket = await newBucket()
  const path = `/${bucket}/k`
  assertError(
    await s3.send({ method: 'PUT', path, body: 'x', headers: sseKms() }),
    400,
    'KMS.NotFoundException',
  )
  at.federation.kms.create('alias/aws/s3')
  assert.deepEqual(encryptionOf(await putObject(s3, path, 'x', sseKms())), sseKms('alias/aws/s3'))
  assert.equal((await s3.send({ path })).text, 'x')
  at.federation.kms.destroy('alias/aws/s3')
})

test('what cannot be meant is refused with the codes of AWS', async () => {
  const bucket = await newBucket()
  const sse = 'x-amz-server-side-encryption'
  const kms = sseKms('testkey-1')
  const cases: [Record<string, string>, number, string][] = [
    [{ [sse]: 'aes:kms' }, 400, 'InvalidArgument'],
    [{ [sse]: 'AES192' }, 400, 'InvalidArgument'],
    [{ [sse]: '' }, 400, 'InvalidArgument'],
    [{ [`${sse}-aws-kms-key-id`]: 'testkey-1' }, 400, 'InvalidArgument'],
    [{ ...sseS3, [`${sse}-aws-kms-key-id`]: 'testkey-1' }, 400, 'InvalidArgument'],
    [{ ...sseS3, [`${sse}-context`]: context({}) }, 400, 'InvalidArgument'],
    [{ ...kms, [`${sse}-context`]: 'no base64' }, 400, 'InvalidArgument'],
    [{ ...kms, [`${sse}-context`]: context(['a']) }, 400, 'InvalidArgument'],
    [{ ...kms, [`${sse}-context`]: context({ a: 1 }) }, 400, 'InvalidArgument'],
    [{ ...kms, [`${sse}-context`]: context({ a: 'x'.repeat(7000) }) }, 400, 'InvalidArgument'],
    [
      { ...kms, [`${sse}-context`]: Buffer.from('{"a":"\xff"}', 'latin1').toString('base64') },
      400,
      'InvalidArgument',
    ],
    [{ ...kms, [`${sse}-bucket-key-enabled`]: 'perhaps' }, 400, 'InvalidArgument'],
    // Two independent layers over the bytes: we have one.
    [{ [sse]: 'aws:kms:dsse' }, 501, 'NotImplemented'],
  ]
  for (const [headers, status, code] of cases) {
    const put = await s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x', headers })
    assertError(put, status, code)
    const begin = await s3.send({ method: 'POST', path: `/${bucket}/k?uploads=`, headers })
    assertError(begin, status, code)
  }
})

test('reads that name an encryption are refused', async () => {
  const bucket = await newBucket()
  const path = `/${bucket}/k`
  await putObject(s3, path, 'x', sseKms('testkey-1'))
  for (const headers of [
    sseS3,
    sseKms('testkey-1'),
    { 'x-amz-server-side-encryption-context': context({}) },
  ]) {
    assertError(await s3.send({ path, headers }), 400, 'InvalidArgument')
    assert.equal((await s3.send({ method: 'HEAD', path, headers })).status, 400)
  }
  assertError(await s3.send({ path, headers: sseC(1) }), 400, 'InvalidRequest')
})

test('an upload keeps the key it began with, whatever its parts name', async () => {
  const bucket = await newBucket()
  const path = `/${bucket}/k`
  const says = sseKms('testkey-1')
  const begin = await s3.send({ method: 'POST', path: `${path}?uploads=`, headers: says })
  assert.deepEqual(encryptionOf(begin), says)
  const uploadId = tag(begin.text, 'UploadId') ?? ''
  const etags: string[] = []
  for (const [index, headers] of [{}, sseKms('testkey-2'), sseKms('no-such-key')].entries()) {
    const part = await s3.send({
      method: 'PUT',
      path: `${path}?partNumber=${index + 1}&uploadId=${uploadId}`,
      body: 'p'.repeat(index === 2 ? 3 : 5 * 1024 * 1024),
      headers,
    })
    assert.equal(part.status, 200, part.text)
    assert.deepEqual(encryptionOf(part), says)
    etags.push(part.headers.etag ?? '')
  }
  const body = completeDocument(etags)
  const headers = sseKms('no-such-key')
  const done = await s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body, headers })
  assert.deepEqual([done.status, encryptionOf(done)], [200, says])
  const again = await s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body })
  assert.deepEqual([again.status, encryptionOf(again)], [200, says], 'a repetition is answered alike')
  const got = await s3.send({ path })
  assert.deepEqual([got.bytes.length, encryptionOf(got)], [10 * 1024 * 1024 + 3, says])
})

test('a bucket key asks the key store once for many objects, and both say that it is in use', async () => {
  const bucket = await newBucket()
  at.federation.kms.create('shared')
  const asked = () => at.federation.kms.calls.get('shared') ?? 0
  const headers = { ...sseKms('shared'), 'x-amz-server-side-encryption-bucket-key-enabled': 'true' }
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(encryptionOf(await putObject(s3, `/${bucket}/${i}`, `content ${i}`, headers)), headers)
  }
  assert.equal(asked(), 1)
  for (let i = 0; i < 5; i++) {
    const read = await s3.send({ path: `/${bucket}/${i}` })
    assert.deepEqual([read.text, encryptionOf(read)], [`content ${i}`, headers])
  }
  assert.equal(asked(), 2)
  const direct = { ...headers, 'x-amz-server-side-encryption-bucket-key-enabled': 'false' }
  assert.deepEqual(encryptionOf(await putObject(s3, `/${bucket}/d`, 'x', direct)), sseKms('shared'))
  assert.equal(asked(), 3)
})

test('the default of a bucket applies to put, copy and upload when the request says nothing', async () => {
  const bucket = await newBucket(byDefault('aws:kms', 'testkey-1'))
  const plain = await newBucket()
  await putObject(s3, `/${plain}/source`, 'content')
  const says = sseKms('testkey-1')
  const written = async (key: string, headers: Record<string, string>) => [
    encryptionOf(await putObject(s3, `/${bucket}/${key}`, 'content', headers)),
    encryptionOf(
      await s3.send({
        method: 'PUT',
        path: `/${bucket}/${key}-copy`,
        headers: { 'x-amz-copy-source': `/${plain}/source`, ...headers },
      }),
    ),
    encryptionOf(await s3.send({ method: 'POST', path: `/${bucket}/${key}?uploads=`, headers })),
  ]
  assert.deepEqual(await written('default', {}), [says, says, says])
  for (const key of ['default', 'default-copy']) {
    const read = await s3.send({ path: `/${bucket}/${key}` })
    assert.deepEqual([read.text, encryptionOf(read)], ['content', says])
  }
  const other = sseKms('testkey-2')
  assert.deepEqual(await written('other', other), [other, other, other])
  const ownKey = { 'x-amz-server-side-encryption': 'AES256' }
  assert.deepEqual(await written('sse-s3', sseS3), [ownKey, ownKey, ownKey])
  assert.ok(
    Object.keys((await written('sse-c', sseC(1)))[0] ?? {}).every((name) => name.includes('customer')),
  )
  // AWS: without a key id the default key, not the bucket's.
  const put = await s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x', headers: sseKms() })
  assertError(put, 400, 'KMS.NotFoundException')

  const set = await s3.send({ method: 'DELETE', path: `/${bucket}?encryption=` })
  assert.equal(set.status, 204)
  assert.deepEqual(await written('after', {}), [ownKey, ownKey, ownKey])
  assert.equal(
    (await s3.send({ path: `/${bucket}/default` })).text,
    'content',
    'what is there stays as it is',
  )
})

test('a default that uses bucket keys goes for objects that name another key, unless they say no', async () => {
  const bucket = await newBucket(byDefault('aws:kms', 'testkey-1', true))
  const flag = 'x-amz-server-side-encryption-bucket-key-enabled'
  const put = async (headers: Record<string, string>) =>
    encryptionOf(await putObject(s3, `/${bucket}/k`, 'x', headers))
  assert.deepEqual(await put({}), { ...sseKms('testkey-1'), [flag]: 'true' })
  assert.deepEqual(await put({ [flag]: 'false' }), sseKms('testkey-1'))
  assert.deepEqual(await put(sseKms('testkey-2')), { ...sseKms('testkey-2'), [flag]: 'true' })
  assert.deepEqual(await put({ ...sseKms('testkey-2'), [flag]: 'false' }), sseKms('testkey-2'))
})

test('a default whose key does not exist refuses writes', async () => {
  const bucket = await newBucket(byDefault('aws:kms', 'fool-me-again'))
  const put = await s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x' })
  assertError(put, 400, 'KMS.NotFoundException')
  await putObject(s3, `/${bucket}/k`, 'x', sseS3)
})

test('copies go between all forms of encryption, whole and as parts', async () => {
  const from = await newBucket()
  const to = await newBucket()
  const body = Buffer.alloc(100_000, 'C')
  const forms = [
    { name: 'none', write: {}, read: {}, source: {} },
    { name: 's3', write: sseS3, read: {}, source: {} },
    { name: 'kms', write: sseKms('testkey-1'), read: {}, source: {} },
    { name: 'c', write: sseC(1), read: sseC(1), source: sourceSseC(1) },
  ]
  for (const source of forms) {
    await putObject(s3, `/${from}/${source.name}`, body, source.write)
    for (const target of forms) {
      const path = `/${to}/${source.name}-${target.name}`
      const headers = { 'x-amz-copy-source': `/${from}/${source.name}`, ...source.source }
      const copy = await s3.send({ method: 'PUT', path, headers: { ...headers, ...target.write } })
      assert.equal(copy.status, 200, `${path} ${copy.text}`)
      assert.ok((await s3.send({ path, headers: target.read })).bytes.equals(body), path)

      const uploadId = await createUpload(s3, path, target.write)
      const part = await s3.send({
        method: 'PUT',
        path: `${path}?partNumber=1&uploadId=${uploadId}`,
        headers: { ...headers, ...target.read },
      })
      assert.equal(part.status, 200, `${path} ${part.text}`)
      const done = await s3.send({
        method: 'POST',
        path: `${path}?uploadId=${uploadId}`,
        body: completeDocument([tag(part.text, 'ETag') ?? '']),
        headers: target.read,
      })
      assert.equal(done.status, 200, `${path} ${done.text}`)
      assert.ok((await s3.send({ path, headers: target.read })).bytes.equals(body), path)
    }
  }
})

test('while the key store cannot be reached, what needs it answers 503 and the rest goes on', async () => {
  const bucket = await newBucket()
  await putObject(s3, `/${bucket}/plain`, 'plain')
  await putObject(s3, `/${bucket}/kms`, 'content', sseKms('testkey-1'))
  at.federation.kms.reachable = false
  try {
    for (const request of [
      { path: `/${bucket}/kms` },
      { method: 'PUT', path: `/${bucket}/other`, body: 'x', headers: sseKms('testkey-1') },
      { method: 'PUT', path: '/kms-down-bucket' },
    ]) {
      const answer = await s3.send(request)
      assertError(answer, 503, 'ServiceUnavailable')
      assert.equal(answer.headers['retry-after'], '1')
    }
    // The bucket's key is remembered for a while.
    assert.equal((await s3.send({ path: `/${bucket}/plain` })).text, 'plain')
    await putObject(s3, `/${bucket}/plain`, 'again', sseC(1))
    assert.equal((await s3.send({ method: 'HEAD', path: `/${bucket}/kms` })).status, 200)
  } finally {
    at.federation.kms.reachable = true
  }
  assert.equal((await s3.send({ path: `/${bucket}/kms` })).text, 'content')
})
