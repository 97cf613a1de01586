/** SSE-C over raw HTTP: objects under a key that the customer sends with each request. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError, completeDocument, createUpload, md5Hex, partBytes, putObject } from './ask.ts'
import { customerKey, encryptionOf, saysSseC, sourceSseC, sseC, sseS3 } from './encryption.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { type Answer, presign, tag } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const prefix = 'x-amz-server-side-encryption-customer-'

/** Answers with 400 and this message: its code alone does not tell these errors apart. */
function assertRefused(answer: Answer, code: string, message: RegExp): void {
  assertError(answer, 400, code)
  assert.match(tag(answer.text, 'Message') ?? '', message)
}

const mustProvide = /correct parameters must be provided to retrieve the object/

test('an object under a customer key is read with that key only', async () => {
  const bucket = await at.bucket()
  for (const [key, body] of [
    ['small', 'content'],
    ['empty', ''],
    ['large', Buffer.alloc(300_000, 'A')],
  ] as const) {
    const path = `/${bucket}/${key}`
    const put = await putObject(at.s3, path, body, sseC(1))
    assert.deepEqual(encryptionOf(put), saysSseC(1))
    for (const method of ['GET', 'HEAD']) {
      const read = await at.s3.send({ method, path, headers: sseC(1) })
      assert.equal(read.status, 200, `${method} ${key} ${read.text}`)
      assert.deepEqual(encryptionOf(read), saysSseC(1))
      if (method === 'GET') assert.ok(read.bytes.equals(Buffer.from(body)))
      for (const headers of [{}, sseC(2)]) {
        const refused = await at.s3.send({ method, path, headers })
        assert.equal(refused.status, 400)
        if (method === 'GET') assertRefused(refused, 'InvalidRequest', mustProvide)
        assert.deepEqual(encryptionOf(refused), {})
        assert.equal(refused.headers.etag, undefined)
      }
    }
  }
  const ranged = await at.s3.send({
    path: `/${bucket}/large`,
    headers: { ...sseC(1), range: 'bytes=262140-262150' },
  })
  assert.deepEqual([ranged.status, ranged.text], [206, 'A'.repeat(11)])
})

test('a customer key is refused for an object that has none', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  await putObject(at.s3, path)
  assertRefused(
    await at.s3.send({ path, headers: sseC(1) }),
    'InvalidRequest',
    /not applicable to this object/,
  )
  assert.equal((await at.s3.send({ method: 'HEAD', path, headers: sseC(1) })).status, 400)
  assertError(await at.s3.send({ path: `/${bucket}/none`, headers: sseC(1) }), 404, 'NoSuchKey')
})

test('a key that is incomplete, of another length or damaged on its way is refused, and named nowhere', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const { key, md5 } = customerKey(1)
  const without = (name: string) =>
    Object.fromEntries(Object.entries(sseC(1)).filter(([header]) => header !== prefix + name))
  const short = Buffer.alloc(16, 1).toString('base64')
  const cases: [Record<string, string>, RegExp][] = [
    [without('algorithm'), /valid encryption algorithm/],
    [without('key'), /appropriate secret key/],
    [without('key-md5'), /client calculated MD5/],
    [{ ...sseC(1), [`${prefix}algorithm`]: 'AES192' }, /valid encryption algorithm/],
    [{ ...sseC(1), [`${prefix}algorithm`]: 'aes256' }, /valid encryption algorithm/],
    [{ ...sseC(1), [`${prefix}key`]: short }, /secret key was invalid/],
    [{ ...sseC(1), [`${prefix}key`]: '' }, /secret key was invalid/],
    [{ ...sseC(1), [`${prefix}key`]: key.replace('=', '!') }, /secret key was invalid/],
    [{ ...sseC(1), [`${prefix}key-md5`]: 'AAAAAAAAAAAAAAAAAAAAAA==' }, /did not match the hash/],
    [{ ...sseC(1), [`${prefix}key-md5`]: 'x' }, /did not match the hash/],
  ]
  for (const [headers, message] of cases) {
    for (const request of [{ method: 'PUT', path, body: 'x' }, { path }]) {
      const answer = await at.s3.send({ ...request, headers })
      assertRefused(answer, 'InvalidArgument', message)
      assert.ok(!answer.text.includes(key.slice(0, 20)) && !answer.text.includes(md5))
    }
  }
  assert.equal((await at.s3.send({ method: 'HEAD', path })).status, 404, 'nothing was stored')
})

test('a customer key and another form of encryption exclude each other', async () => {
  const bucket = await at.bucket()
  for (const also of [sseS3, { 'x-amz-server-side-encryption': 'aws:kms' }]) {
    const headers = { ...sseC(1), ...also }
    const put = await at.s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x', headers })
    assertRefused(put, 'InvalidArgument', /incompatible with the encryption method/)
    const begin = await at.s3.send({ method: 'POST', path: `/${bucket}/k?uploads=`, headers })
    assertRefused(begin, 'InvalidArgument', /incompatible with the encryption method/)
  }
})

test('the ETag of an object under a key is not the MD5 of its content, and stays what it is', async () => {
  const bucket = await at.bucket()
  const put = await putObject(at.s3, `/${bucket}/a`, 'content', sseC(1))
  const again = await putObject(at.s3, `/${bucket}/b`, 'content', sseC(1))
  assert.match(put.headers.etag ?? '', /^"[0-9a-f]{32}"$/)
  assert.notEqual(put.headers.etag, `"${md5Hex('content')}"`)
  assert.notEqual(put.headers.etag, again.headers.etag, 'equal content is not told')
  const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/a`, headers: sseC(1) })
  assert.equal(head.headers.etag, put.headers.etag)
  const listed = await at.s3.send({ path: `/${bucket}?list-type=2&prefix=a` })
  assert.equal(tag(listed.text, 'ETag')?.replaceAll('&quot;', '"'), put.headers.etag)
  const match = { ...sseC(1), 'if-match': put.headers.etag ?? '' }
  assert.equal((await at.s3.send({ path: `/${bucket}/a`, headers: match })).status, 200)
  // Content-MD5 is still verified against the content.
  const wrong = { ...sseC(1), 'content-md5': Buffer.from(md5Hex('other'), 'hex').toString('base64') }
  const refused = await at.s3.send({ method: 'PUT', path: `/${bucket}/a`, body: 'content', headers: wrong })
  assertError(refused, 400, 'BadDigest')
})

test('GetObjectAttributes asks for the key, too', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const put = await putObject(at.s3, path, 'content', sseC(1))
  const ask = (headers: Record<string, string>) =>
    at.s3.send({
      path: `${path}?attributes=`,
      headers: { 'x-amz-object-attributes': 'ETag,ObjectSize', ...headers },
    })
  assertRefused(await ask({}), 'InvalidRequest', mustProvide)
  assertRefused(await ask(sseC(2)), 'InvalidRequest', mustProvide)
  assertError(await ask(sseS3), 400, 'InvalidArgument')
  const answer = await ask(sseC(1))
  assert.equal(answer.status, 200, answer.text)
  assert.equal(`"${tag(answer.text, 'ETag')}"`, put.headers.etag)
})

test('a copy takes a key for its source and a key for itself', async () => {
  const bucket = await at.bucket()
  const body = Buffer.alloc(100_000, 'S')
  await putObject(at.s3, `/${bucket}/source`, body, sseC(1))
  const copy = (key: string, headers: Record<string, string>) =>
    at.s3.send({
      method: 'PUT',
      path: `/${bucket}/${key}`,
      headers: { 'x-amz-copy-source': `/${bucket}/source`, ...headers },
    })
  for (const headers of [{}, sseC(1), sourceSseC(2), { ...sseC(2), ...sourceSseC(2) }]) {
    assertRefused(await copy('copy', headers), 'InvalidRequest', mustProvide)
  }
  const cases: [string, Record<string, string>, Record<string, string>][] = [
    ['to-other-key', { ...sourceSseC(1), ...sseC(2) }, sseC(2)],
    ['to-sse-s3', { ...sourceSseC(1), ...sseS3 }, {}],
    ['to-default', sourceSseC(1), {}],
    // Onto itself: the key is changed.
    ['source', { ...sourceSseC(1), ...sseC(3) }, sseC(3)],
  ]
  for (const [key, headers, readWith] of cases) {
    const answer = await copy(key, headers)
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(
      encryptionOf(answer),
      readWith === undefined ? {} : encryptionOf(await head(key, readWith)),
    )
    const read = await at.s3.send({ path: `/${bucket}/${key}`, headers: readWith })
    assert.ok(read.bytes.equals(body), key)
  }
  assert.equal((await head('source', sseC(1))).status, 400, 'the old key opens it no more')
  const plain = await at.s3.send({
    method: 'PUT',
    path: `/${bucket}/plain-copy`,
    headers: { 'x-amz-copy-source': `/${bucket}/to-sse-s3`, ...sourceSseC(1) },
  })
  assertRefused(plain, 'InvalidRequest', /not applicable to this object/)

  function head(key: string, headers: Record<string, string>) {
    return at.s3.send({ method: 'HEAD', path: `/${bucket}/${key}`, headers })
  }
})

test('every part of an upload comes under the key with which the upload began', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const begin = await at.s3.send({ method: 'POST', path: `${path}?uploads=`, headers: sseC(1) })
  assert.deepEqual(encryptionOf(begin), saysSseC(1))
  const uploadId = tag(begin.text, 'UploadId') ?? ''
  const first = Buffer.alloc(partBytes, 1)
  const put = (partNumber: number, body: string | Buffer, headers: Record<string, string>) =>
    at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=${partNumber}&uploadId=${uploadId}`,
      body,
      headers,
    })
  assertRefused(await put(1, 'x', {}), 'InvalidRequest', /Subsequent part requests must include/)
  assertRefused(await put(1, 'x', sseC(2)), 'InvalidRequest', /did not match the ones used originally/)
  const one = await put(1, first, sseC(1))
  assert.equal(one.status, 200, one.text)
  assert.deepEqual(encryptionOf(one), saysSseC(1))
  assert.equal(
    (await put(1, first, sseC(1))).headers.etag,
    one.headers.etag,
    'sent again it is the same part',
  )

  await putObject(at.s3, `/${bucket}/source`, 'tail', sseC(3))
  const copyPart = (headers: Record<string, string>) =>
    at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=2&uploadId=${uploadId}`,
      headers: { 'x-amz-copy-source': `/${bucket}/source`, ...headers },
    })
  assertRefused(await copyPart(sourceSseC(3)), 'InvalidRequest', /Subsequent part requests must include/)
  assertRefused(await copyPart(sseC(1)), 'InvalidRequest', mustProvide)
  const two = await copyPart({ ...sourceSseC(3), ...sseC(1) })
  assert.equal(two.status, 200, two.text)
  assert.deepEqual(encryptionOf(two), saysSseC(1))

  const document = completeDocument([one.headers.etag ?? '', tag(two.text, 'ETag') ?? ''])
  const complete = (headers: Record<string, string>) =>
    at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body: document, headers })
  assertRefused(await complete(sseC(2)), 'InvalidRequest', /did not match the ones used originally/)
  const done = await complete(sseC(1))
  assert.equal(done.status, 200, done.text)
  assert.deepEqual(encryptionOf(done), saysSseC(1))
  const got = await at.s3.send({ path, headers: sseC(1) })
  assert.ok(got.bytes.equals(Buffer.concat([first, Buffer.from('tail')])))
  assertRefused(await at.s3.send({ path }), 'InvalidRequest', mustProvide)
  const part = await at.s3.send({ path: `${path}?partNumber=2`, headers: sseC(1) })
  assert.deepEqual([part.status, part.text], [206, 'tail'])
})

test('completing an upload needs the key, listing it does when its checksums were announced', async () => {
  const bucket = await at.bucket()
  for (const [key, extra, status] of [
    ['with', { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' }, 400],
    ['without', {}, 200],
  ] as const) {
    const path = `/${bucket}/${key}`
    const uploadId = await createUpload(at.s3, path, { ...sseC(1), ...extra })
    const put = await at.s3.send({
      method: 'PUT',
      path: `${path}?partNumber=1&uploadId=${uploadId}`,
      body: 'part',
      headers: sseC(1),
    })
    const list = (headers: Record<string, string>) =>
      at.s3.send({ path: `${path}?uploadId=${uploadId}`, headers })
    assert.equal((await list({})).status, status)
    assert.equal((await list(sseC(2))).status, 400)
    assert.equal((await list(sseC(1))).status, 200)
    const body = completeDocument([put.headers.etag ?? ''])
    const complete = (headers: Record<string, string>) =>
      at.s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body, headers })
    assertRefused(await complete({}), 'InvalidRequest', /must include the appropriate encryption parameters/)
    assert.equal((await complete(sseC(1))).status, 200)
    assert.equal((await at.s3.send({ path, headers: sseC(1) })).text, 'part')
  }
})

test('an upload without a customer key takes no part with one', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const uploadId = await createUpload(at.s3, path)
  const query = `partNumber=1&uploadId=${uploadId}`
  const put = await at.s3.send({ method: 'PUT', path: `${path}?${query}`, body: 'x', headers: sseC(1) })
  assertRefused(put, 'InvalidRequest', /did not request encryption/)
})

test('a presigned URL has the key in headers, never in the address', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'content', sseC(1))
  const path = presign({ path: `/${bucket}/k`, signedHeaders: sseC(1) }, at.s3.endpoint, at.s3.keys)
  const answer = await at.s3.exchange({ path }, { ...at.s3.hostHeader, ...sseC(1) })
  assert.deepEqual([answer.status, answer.text], [200, 'content'])
  const inAddress = presign({ path: `/${bucket}/k`, query: sseC(1) }, at.s3.endpoint, at.s3.keys)
  assertError(await at.s3.exchange({ path: inAddress }, at.s3.hostHeader), 400, 'InvalidArgument')
})

test('a bucket can block customer keys: what is there stays readable, nothing new comes', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k`
  const block = async (type: string) => {
    const body = `<ServerSideEncryptionConfiguration><Rule><BlockedEncryptionTypes><EncryptionType>${type}</EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>`
    const answer = await at.s3.send({ method: 'PUT', path: `/${bucket}?encryption=`, body })
    assert.equal(answer.status, 200, answer.text)
  }
  await putObject(at.s3, path, 'before', sseC(1))
  const uploadId = await createUpload(at.s3, path, sseC(1))
  await block('SSE-C')
  const shown = await at.s3.send({ path: `/${bucket}?encryption=` })
  assert.equal(tag(shown.text, 'EncryptionType'), 'SSE-C', shown.text)
  const copy = { 'x-amz-copy-source': path, ...sourceSseC(1) }
  const part = `${path}?partNumber=1&uploadId=${uploadId}`
  for (const request of [
    { method: 'PUT', path, body: 'x', headers: sseC(1) },
    { method: 'PUT', path, headers: { ...copy, ...sseC(1) } },
    { method: 'POST', path: `${path}?uploads=`, headers: sseC(1) },
    { method: 'PUT', path: part, body: 'x', headers: sseC(1) },
    { method: 'PUT', path: part, headers: { ...copy, ...sseC(1) } },
  ]) {
    assertError(await at.s3.send(request), 403, 'AccessDenied')
  }
  assert.equal((await at.s3.send({ path, headers: sseC(1) })).text, 'before')
  assert.equal((await at.s3.send({ method: 'PUT', path: `${path}2`, headers: copy })).status, 200)
  await block('NONE')
  await putObject(at.s3, path, 'after', sseC(2))
  const unknown = `<ServerSideEncryptionConfiguration><Rule><BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>`
  const refused = await at.s3.send({ method: 'PUT', path: `/${bucket}?encryption=`, body: unknown })
  assertError(refused, 400, 'MalformedXML')
})

test('over a connection that others can read, customer keys are refused and everything else works', async (t) => {
  const gateway = await startLocalGateway({ confidential: false })
  t.after(() => gateway.close())
  const s3 = gateway.client()
  await s3.send({ method: 'PUT', path: '/bucket-in-clear' })
  const path = '/bucket-in-clear/k'
  await putObject(s3, path)
  const copy = { 'x-amz-copy-source': path, ...sourceSseC(1) }
  for (const request of [
    { method: 'PUT', path, body: 'x', headers: sseC(1) },
    { path, headers: sseC(1) },
    { method: 'PUT', path: `${path}2`, headers: copy },
    { method: 'POST', path: `${path}?uploads=`, headers: sseC(1) },
  ]) {
    assertRefused(await s3.send(request), 'InvalidRequest', /secure connection/)
  }
  assert.equal((await s3.send({ path })).text, 'content')
})
