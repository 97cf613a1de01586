import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { openBucket } from './access-control.ts'
import { assertError, contentMd5, md5Hex, versionOf } from './ask.ts'
import { encryptionOf, saysSseC, sseC, sseKms, sseS3 } from './encryption.ts'
import { type Conformance, startConformance, startLocalGateway } from './harness.ts'
import { encodeForm, type Fields, type FormFile, legacyFields, post, signedFields } from './post-form.ts'
import { tag, tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const MiB = 1024 * 1024
/** Stands for the name of the file. */
const variable = ['$', '{filename}'].join('')

/** Conditions that name exactly these fields, and the bucket. */
function naming(bucket: string, fields: Fields): unknown[] {
  return [{ bucket }, ...Object.entries(fields).map(([name, value]) => ['eq', `$${name}`, value])]
}

function send(
  bucket: string,
  fields: Fields,
  file: FormFile | undefined = { data: 'content' },
  {
    conditions = naming(bucket, fields),
    ...more
  }: { conditions?: readonly unknown[]; behind?: Fields; end?: string; expiresMs?: number } = {},
) {
  const { expiresMs, ...shape } = more
  const signing = signedFields(at.s3.keys, at.s3.endpoint.region, {
    conditions,
    ...(expiresMs === undefined ? {} : { expiresMs }),
  })
  return post(at.s3, `/${bucket}`, encodeForm({ ...fields, ...signing }, file, shape))
}

test('PostObject stores the file under the key, with what the fields say of it', async () => {
  const bucket = await at.bucket()
  const fields = {
    key: 'kamera/ü 1.mp4',
    acl: 'bucket-owner-full-control',
    'Content-Type': 'video/mp4',
    'Cache-Control': 'no-store',
    'x-amz-meta-Note': 'Straße',
    'x-amz-server-side-encryption': 'AES256',
  }
  const answer = await send(bucket, fields)
  assert.equal(answer.status, 204, answer.text)
  assert.equal(answer.headers.etag, `"${md5Hex('content')}"`)
  assert.match(answer.headers.location ?? '', new RegExp(`/${bucket}/kamera/%C3%BC%201\\.mp4$`))
  const got = await at.s3.send({ path: `/${bucket}/kamera/%C3%BC%201.mp4` })
  assert.equal(got.text, 'content')
  assert.equal(got.headers['content-type'], 'video/mp4')
  assert.equal(got.headers['cache-control'], 'no-store')
  assert.equal(Buffer.from(got.headers['x-amz-meta-note'] as string, 'latin1').toString(), 'Straße')
})

test('PostObject puts the name of the file where the form says so, before the policy is looked at', async () => {
  const bucket = await at.bucket()
  const conditions = [
    { bucket },
    ['starts-with', '$key', 'user/eric/tat'],
    ['eq', '$x-amz-meta-from', 'tatort $& 1.jpg'],
  ]
  const fields = { key: `user/eric/${variable}`, 'x-amz-meta-from': variable }
  const file = { data: 'x', name: 'C:\\Bilder\\tatort $& 1.jpg' }
  assert.equal((await send(bucket, fields, file, { conditions })).status, 204)
  assert.equal((await at.s3.send({ path: `/${bucket}/user/eric/tatort%20%24%26%201.jpg` })).text, 'x')
  assertError(
    await send(bucket, fields, { data: 'x', name: 'other.jpg' }, { conditions }),
    403,
    'AccessDenied',
  )
})

test('PostObject answers as the form wishes', async () => {
  const bucket = await at.bucket()
  const ask = (fields: Fields) => send(bucket, { key: 'a/b c', ...fields })
  assert.equal((await ask({ success_action_status: '200' })).status, 200)
  const created = await ask({ success_action_status: '201' })
  assert.equal(created.status, 201)
  assert.match(created.text, /<PostResponse><Location>http/)
  assert.equal(tag(created.text, 'Bucket'), bucket)
  assert.equal(tag(created.text, 'Key'), 'a/b c')
  assert.equal(tag(created.text, 'ETag'), `&quot;${md5Hex('content')}&quot;`)
  const odd = await ask({ success_action_status: '404' })
  assert.deepEqual([odd.status, odd.text], [204, ''])
  const query = `bucket=${bucket}&key=a%2Fb%20c&etag=%22${md5Hex('content')}%22`
  const redirected = await ask({
    success_action_redirect: 'https://example.org/done',
    success_action_status: '200',
  })
  assert.deepEqual(
    [redirected.status, redirected.headers.location],
    [303, `https://example.org/done?${query}`],
  )
  const more = await ask({ redirect: 'https://example.org/?a=b#c' })
  assert.equal(more.headers.location, `https://example.org/?a=b&${query}#c`)
  for (const page of ['nowhere', 'javascript:alert(1)', '']) {
    assert.equal((await ask({ success_action_redirect: page })).status, 204)
  }
})

test('PostObject streams a file of any size, however the form ends', async () => {
  const bucket = await at.bucket()
  const ends = [
    { end: '--\r\n' },
    { end: '--' },
    { behind: { submit: 'Upload to Amazon S3', more: 'x'.repeat(2000) } },
  ]
  const around = [0, 1, 4095, 4096, 4097, 36 * 1024, 36 * 1024 + 1, 3 * MiB + 17]
  for (const end of ends) {
    for (const bytes of around) {
      const data = randomBytes(bytes)
      const answer = await send(bucket, { key: 'k' }, { data }, end)
      assert.equal(answer.status, 204, `${bytes} ${JSON.stringify(end)} ${answer.text}`)
      assert.equal(answer.headers.etag, `"${md5Hex(data)}"`)
      const got = await at.s3.send({ path: `/${bucket}/k` })
      assert.ok(got.bytes.equals(data), `${bytes}`)
      if (bytes < 5000) continue
      const range = await at.s3.send({
        path: `/${bucket}/k`,
        headers: { range: `bytes=${bytes - 4100}-${bytes - 2}` },
      })
      assert.ok(range.bytes.equals(data.subarray(bytes - 4100, bytes - 1)))
      const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })
      assert.equal(head.headers['content-length'], String(bytes))
    }
  }
})

test('PostObject refuses a large file with much behind it, and keeps what was there', async () => {
  const bucket = await at.bucket()
  await send(bucket, { key: 'k' })
  const behind = { much: 'x'.repeat(8000) }
  assertError(
    await send(bucket, { key: 'k' }, { data: randomBytes(MiB) }, { behind }),
    400,
    'MalformedPOSTRequest',
  )
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).text, 'content')
})

test('PostObject holds a file to the bounds of its policy', async () => {
  const bucket = await at.bucket()
  const ask = (min: number, max: number, bytes: number, behind: Fields = {}) =>
    send(
      bucket,
      { key: 'k' },
      { data: Buffer.alloc(bytes) },
      {
        conditions: [{ bucket }, { key: 'k' }, ['content-length-range', min, max]],
        behind,
      },
    )
  assert.equal((await ask(5, 5, 5)).status, 204)
  assertError(await ask(6, 10, 5), 400, 'EntityTooSmall')
  assertError(await ask(0, 4, 5), 400, 'EntityTooLarge')
  assertError(await ask(0, 0, 5), 400, 'EntityTooLarge')
  assertError(await ask(0, 5000, MiB), 400, 'EntityTooLarge')
  // Within the part of the form whose end is not known: what counts is the file and not the fields behind it.
  assert.equal((await ask(0, MiB, MiB, { submit: 'x'.repeat(1000) })).status, 204)
  assertError(await ask(0, MiB - 1, MiB, { submit: 'x'.repeat(1000) }), 400, 'EntityTooLarge')
  assertError(await ask(MiB + 1, 2 * MiB, MiB, { submit: 'x'.repeat(1000) }), 400, 'EntityTooSmall')
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).bytes.length, MiB)
})

test('PostObject verifies checksums, and keeps them', async () => {
  const bucket = await at.bucket()
  const data = randomBytes(MiB)
  const sum = createHash('sha256').update(data).digest('base64')
  const conditions = [{ bucket }, { key: 'k' }]
  const answer = await send(bucket, { key: 'k', 'x-amz-checksum-sha256': sum }, { data }, { conditions })
  assert.deepEqual([answer.status, answer.headers['x-amz-checksum-sha256']], [204, sum])
  const head = await at.s3.send({
    method: 'HEAD',
    path: `/${bucket}/k`,
    headers: { 'x-amz-checksum-mode': 'ENABLED' },
  })
  assert.equal(head.headers['x-amz-checksum-sha256'], sum)
  const other = { key: 'other', 'x-amz-checksum-sha256': sum }
  assertError(
    await send(bucket, other, { data: 'x' }, { conditions: [{ bucket }, { key: 'other' }] }),
    400,
    'BadDigest',
  )
  assertError(await send(bucket, { ...other, 'x-amz-checksum-sha256': 'bad' }), 400, 'BadDigest')
  assert.equal((await at.s3.send({ path: `/${bucket}/other` })).status, 404)
})

test('PostObject does what the policy covers and nothing else', async () => {
  const bucket = await at.bucket()
  const elsewhere = await at.bucket()
  const fields = { key: 'k', acl: 'bucket-owner-full-control' }
  const conditions = naming(bucket, fields)
  const denied = async (answer: ReturnType<typeof send>, why: RegExp) => {
    const got = await answer
    assertError(got, 403, 'AccessDenied')
    assert.match(got.text, why)
  }
  await denied(
    send(bucket, { ...fields, 'x-amz-meta-a': 'b' }, undefined, { conditions }),
    /Extra input fields: x-amz-meta-a/,
  )
  await denied(send(bucket, { ...fields, key: 'other' }, undefined, { conditions }), /Condition failed/)
  await denied(send(elsewhere, fields, undefined, { conditions }), /Condition failed/)
  await denied(send(elsewhere, { ...fields, bucket }, undefined, { conditions }), /Condition failed/)
  await denied(
    send(bucket, fields, undefined, { conditions: conditions.slice(1) }),
    /Extra input fields: bucket/,
  )
  await denied(send(bucket, fields, undefined, { expiresMs: Date.now() - 1000 }), /Policy expired/)
  assert.equal((await send(bucket, { ...fields, 'x-ignore-a': 'b' }, undefined, { conditions })).status, 204)
  // Headers of the request itself are covered by nothing, and mean nothing.
  const body = encodeForm(
    { ...fields, ...signedFields(at.s3.keys, at.s3.endpoint.region, { conditions }) },
    { data: 'x' },
  )
  const answer = await post(at.s3, `/${bucket}`, body, {
    'x-amz-meta-smuggled': 'x',
    'x-amz-copy-source': `/${bucket}/k`,
  })
  assert.equal(answer.status, 204, answer.text)
  const head = await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })
  assert.deepEqual([head.headers['x-amz-meta-smuggled'], head.headers['content-length']], [undefined, '1'])
})

test('PostObject wants a whole and right signature', async () => {
  const bucket = await at.bucket()
  const fields = { key: 'k' }
  const signing = signedFields(at.s3.keys, at.s3.endpoint.region, { conditions: naming(bucket, fields) })
  const ask = (changed: Record<string, string | undefined>) => {
    const all = Object.entries({ ...fields, ...signing, ...changed }).filter(
      ([, value]) => value !== undefined,
    )
    return post(at.s3, `/${bucket}`, encodeForm(Object.fromEntries(all) as Fields, { data: 'x' }))
  }
  assert.equal((await ask({})).status, 204)
  const wrong = await ask({ 'x-amz-signature': '0'.repeat(64) })
  assertError(wrong, 403, 'SignatureDoesNotMatch')
  assert.ok(!wrong.text.includes(at.s3.keys.secretAccessKey))
  const forged = Buffer.from(JSON.stringify({ expiration: '2999-01-01T00:00:00Z', conditions: [] })).toString(
    'base64',
  )
  assertError(await ask({ policy: forged }), 403, 'SignatureDoesNotMatch')
  for (const name of Object.keys(signing)) {
    assertError(await ask({ [name]: undefined }), 400, 'InvalidArgument')
  }
  const scope = signing['x-amz-credential'] ?? ''
  assertError(
    await ask({ 'x-amz-credential': scope.replace(/^[^/]*/, 'AKIANOBODY0000000000') }),
    403,
    'InvalidAccessKeyId',
  )
  assertError(await ask({ 'x-amz-credential': scope.replace('/s3/', '/iam/') }), 400, 'InvalidArgument')
  assertError(
    await ask({ 'x-amz-credential': scope.replace(at.s3.endpoint.region, 'mars-1') }),
    400,
    'InvalidArgument',
  )
  assertError(await ask({ 'x-amz-algorithm': 'none' }), 400, 'InvalidArgument')
  assertError(await ask({ 'x-amz-date': '20150101T000000Z' }), 400, 'InvalidArgument')
  const stranger = signedFields(at.other.keys, at.s3.endpoint.region, { conditions: naming(bucket, fields) })
  assertError(await ask(stranger), 403, 'AccessDenied')
  const unsigned = Object.fromEntries(Object.keys(signing).map((name) => [name, undefined]))
  assertError(await ask(unsigned), 403, 'AccessDenied')
})

test('PostObject refuses what is no form, has no key, no file or no length', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}`
  assertError(
    await post(at.s3, path, 'x', { 'content-type': 'text/plain' }),
    412,
    'RequestIsNotMultiPartContent',
  )
  assertError(await post(at.s3, path, 'x'), 400, 'MalformedPOSTRequest')
  assertError(await post(at.s3, path, encodeForm({}, { data: 'x' })), 400, 'InvalidArgument')
  assertError(await send(bucket, { key: 'k'.repeat(1025) }), 400, 'KeyTooLongError')
  assertError(await post(at.s3, path, encodeForm({ key: 'k' }, undefined)), 400, 'InvalidArgument')
  const large = encodeForm({ key: 'k', much: 'x'.repeat(21_000) }, { data: 'x' })
  assertError(await post(at.s3, path, large), 400, 'MaxPostPreDataLengthExceeded')
  const bomb = encodeForm({ key: variable.repeat(800) }, { data: 'x', name: 'n'.repeat(8000) })
  assertError(await post(at.s3, path, bomb), 400, 'MaxPostPreDataLengthExceeded')
  assertError(
    await post(at.s3, path, encodeForm({ key: 'k' }, { data: 'x' }), { 'transfer-encoding': 'chunked' }),
    411,
    'MissingContentLength',
  )
  assertError(await send(bucket, { key: 'k', 'x-amz-meta-a': 'two\r\nlines: x' }), 400, 'InvalidArgument')
  assertError(await send(bucket, { key: 'k', 'x-amz-meta-a b': 'x' }), 400, 'InvalidArgument')
  assertError(await send(bucket, { key: 'k', 'x-amz-storage-class': 'GLACIER' }), 400, 'InvalidStorageClass')
  const signed = { authorization: 'AWS4-HMAC-SHA256 Credential=x' }
  assertError(
    await post(at.s3, path, encodeForm({ key: 'k' }, { data: 'x' }), signed),
    400,
    'InvalidArgument',
  )
})

test('PostObject writes a version, tagged and protected as the fields say; it replaces nothing that is retained', async () => {
  const bucket = await at.bucket({ objectLock: true })
  const xml = (pairs: string) => `<Tagging><TagSet>${pairs}</TagSet></Tagging>`
  const tagging = xml('<Tag><Key>Fall + Ort</Key><Value>ü+1</Value></Tag>')
  const until = new Date(Math.floor(Date.now() / 1000 + 3600) * 1000).toISOString()
  const protection = { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': until }
  const fields = { key: 'k', tagging, ...protection }
  // AWS wants a digest of what will be under retention.
  assertError(await send(bucket, fields), 400, 'InvalidRequest')
  const first = versionOf(await send(bucket, { ...fields, 'Content-MD5': contentMd5('content') }))
  const tagged = await at.s3.send({ path: `/${bucket}/k?tagging` })
  assert.deepEqual([tags(tagged.text, 'Key'), tags(tagged.text, 'Value')], [['Fall + Ort'], ['ü+1']])
  const second = versionOf(await send(bucket, { key: 'k' }, { data: 'later' }))
  assert.notEqual(second, first)
  const path = `/${bucket}/k?versionId=${first}`
  assertError(await at.s3.send({ method: 'DELETE', path }), 403, 'AccessDenied')
  const kept = await at.s3.send({ path })
  assert.deepEqual([kept.text, kept.headers['x-amz-object-lock-mode']], ['content', 'COMPLIANCE'])
  assertError(await send(bucket, { key: 'k', tagging: '<Tagging>' }), 400, 'MalformedXML')
  assertError(
    await send(bucket, { key: 'k', tagging: xml('<Tag><Key>aws:x</Key><Value/></Tag>') }),
    400,
    'InvalidTag',
  )
  assertError(await send(bucket, { key: 'k', 'Content-MD5': contentMd5('other') }), 400, 'BadDigest')
})

test('forms that nobody signed may do what lists and policies let everybody do', async () => {
  const bucket = await openBucket(at)
  const path = `/${bucket}`
  const ask = (fields: Fields) => post(at.s3, path, encodeForm(fields, { data: 'x' }))
  assertError(await ask({ key: 'k' }), 403, 'AccessDenied')
  const opened = await at.s3.send({
    method: 'PUT',
    path: `${path}?acl=`,
    headers: { 'x-amz-acl': 'public-read-write' },
  })
  assert.equal(opened.status, 200, opened.text)
  assert.equal((await ask({ key: 'k', acl: 'public-read' })).status, 204)
  const got = await at.s3.send({ path: `${path}/k`, anonymous: true })
  assert.deepEqual([got.status, got.text], [200, 'x'])
  const tagging = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'
  assert.equal((await ask({ key: 'tagged', acl: 'public-read', tagging })).status, 204)
  const statement = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::${bucket}/closed/*`,
  }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  assert.equal((await at.s3.send({ method: 'PUT', path: `${path}?policy=`, body: policy })).status, 204)
  assertError(await ask({ key: 'closed/k' }), 403, 'AccessDenied')
  assert.equal((await ask({ key: 'open/k' })).status, 204)
})

test('forms signed in the older way are refused, unless the gateway is configured to take them', async () => {
  const strict = await at.bucket()
  const legacy = (bucket: string, keys = at.s3.keys) => ({
    key: 'k',
    ...legacyFields(keys, naming(bucket, { key: 'k' })),
  })
  if (at.local) {
    const refused = await post(at.s3, `/${strict}`, encodeForm(legacy(strict), { data: 'x' }))
    assertError(refused, 400, 'InvalidRequest')
  }
  const gateway = await startLocalGateway({ legacyFormSignatures: true })
  try {
    const s3 = gateway.client()
    assert.equal((await s3.send({ method: 'PUT', path: '/akten' })).status, 200)
    const fields = legacy('akten', s3.keys)
    assert.equal((await post(s3, '/akten', encodeForm(fields, { data: 'x' }))).status, 204)
    assert.equal((await s3.send({ path: '/akten/k' })).text, 'x')
    const ask = (changed: Fields) => post(s3, '/akten', encodeForm({ ...fields, ...changed }, { data: 'y' }))
    assertError(await ask({ signature: Buffer.alloc(20).toString('base64') }), 403, 'SignatureDoesNotMatch')
    assertError(await ask({ AWSAccessKeyId: 'AKIANOBODY0000000000' }), 403, 'InvalidAccessKeyId')
    assertError(await ask({ signature: '' }), 400, 'InvalidArgument')
    assertError(await ask({ key: 'other' }), 403, 'AccessDenied')
    assert.equal((await s3.send({ path: '/akten/k' })).text, 'x')
  } finally {
    await gateway.close()
  }
})

test('PostObject encrypts as the fields say, under a key of the form too', async () => {
  const bucket = await at.bucket()
  const under = await send(bucket, { key: 'c', ...sseC(1) })
  assert.equal(under.status, 204, under.text)
  assert.deepEqual(encryptionOf(under), saysSseC(1))
  assert.equal((await at.s3.send({ path: `/${bucket}/c` })).status, 400)
  assert.equal((await at.s3.send({ path: `/${bucket}/c`, headers: sseC(1) })).text, 'content')
  assert.deepEqual(encryptionOf(await send(bucket, { key: 's3', ...sseS3 })), { ...sseS3 })
  const { 'x-amz-server-side-encryption-customer-key-md5': _, ...incomplete } = sseC(1)
  assertError(await send(bucket, { key: 'k', ...incomplete }), 400, 'InvalidArgument')
  assertError(await send(bucket, { key: 'k', ...sseC(1), ...sseS3 }), 400, 'InvalidArgument')
  assertError(await send(bucket, { key: 'k', ...sseKms('no-such-key') }), 400, 'KMS.NotFoundException')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })).status, 404)
})
