import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'
import { tags } from './s3-client.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const lifecycle = (inner: string) => `<LifecycleConfiguration>${inner}</LifecycleConfiguration>`
const rule = (id: string, inner: string) => `<Rule><ID>${id}</ID>${inner}</Rule>`
const enabled = '<Status>Enabled</Status>'
const days = (count: number) => `<Expiration><Days>${count}</Days></Expiration>`

test('PutBucketLifecycleConfiguration keeps rules as they were put, in either form', async () => {
  const document = await bucketDocument(at, 'lifecycle')
  const old = rule('one', `<Prefix>a/</Prefix><Status>Disabled</Status>${days(1)}`)
  await putDocument(document, lifecycle(old))
  assert.ok((await document.get()).text.includes(old))
  const rules = [
    rule(
      'two',
      `<Filter><And><Prefix>b</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>${enabled}${days(2)}`,
    ),
    rule(
      'three',
      `<Filter></Filter>${enabled}<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>4</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
    ),
    rule(
      'four',
      `<Filter><Prefix>c</Prefix></Filter>${enabled}<Expiration><Date>2030-01-02T00:00:00.000Z</Date></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
    ),
  ].join('')
  await putDocument(document, lifecycle(rules))
  const { text } = await document.get()
  assert.ok(text.includes(rules), text)
  assert.ok(!text.includes('one'))
})

test('PutBucketLifecycleConfiguration names rules that have no id', async () => {
  const document = await bucketDocument(at, 'lifecycle')
  const nameless = `<Rule><Filter/>${enabled}${days(1)}</Rule>`
  await putDocument(document, lifecycle(nameless + nameless))
  const [first, second] = tags((await document.get()).text, 'ID')
  assert.ok(first !== undefined && first.length > 10)
  assert.notEqual(first, second)
})

test('PutBucketLifecycleConfiguration takes a thousand rules', async () => {
  const document = await bucketDocument(at, 'lifecycle')
  const rules = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      rule(`r${index}`, `<Filter><Prefix>${'p'.repeat(100)}</Prefix></Filter>${enabled}${days(1)}`),
    ).join('')
  await putDocument(document, lifecycle(rules(1000)))
  assert.equal(tags((await document.get()).text, 'ID').length, 1000)
  assertError(await document.put(lifecycle(rules(1001))), 400, 'MalformedXML')
  const long = rules(1000).replaceAll('ppp', 'pppppppppppppppppp')
  assertError(await document.put(lifecycle(long)), 400, 'MaxMessageLengthExceeded')
  assert.equal(tags((await document.get()).text, 'ID').length, 1000)
})

test('PutBucketLifecycleConfiguration refuses what are no rules, and strangers', async () => {
  const document = await bucketDocument(at, 'lifecycle')
  const good = rule('a', `<Filter/>${enabled}${days(1)}`)
  const cases: readonly (readonly [string, number, string])[] = [
    ['', 400, 'MalformedXML'],
    [rule('a', `<Filter/><Status>enabled</Status>${days(1)}`), 400, 'MalformedXML'],
    [good + good, 400, 'InvalidArgument'],
    [rule('i'.repeat(256), `<Filter/>${enabled}${days(1)}`), 400, 'InvalidArgument'],
    [rule('a', `<Filter/>${enabled}${days(0)}`), 400, 'InvalidArgument'],
    [rule('a', `<Filter/>${enabled}`), 400, 'InvalidRequest'],
    [
      rule(
        'a',
        `<Filter/>${enabled}<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>`,
      ),
      501,
      'NotImplemented',
    ],
  ]
  for (const [inner, status, code] of cases) assertError(await document.put(lifecycle(inner)), status, code)
  assertError(await document.put(lifecycle(good), at.other), 403, 'AccessDenied')
  assertError(await document.get(), 404, 'NoSuchLifecycleConfiguration')
})

test('an object that a rule will expire says when, on writes and reads of the current version', async () => {
  const bucket = await at.bucket()
  const body =
    '<LifecycleConfiguration><Rule><ID>bald</ID><Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter>' +
    '<Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>'
  assert.equal((await at.s3.send({ method: 'PUT', path: `/${bucket}?lifecycle`, body })).status, 200)
  const put = await at.s3.send({ method: 'PUT', path: `/${bucket}/a/k`, body: 'x' })
  const expires = String(put.headers['x-amz-expiration'])
  assert.match(expires, /^expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT", rule-id="bald"$/)
  const days = (Date.parse(expires.slice(13, 42)) - Date.now()) / 86_400_000
  assert.ok(days >= 29.9 && days <= 31, `${days}`)
  for (const method of ['GET', 'HEAD']) {
    const answer = await at.s3.send({ method, path: `/${bucket}/a/k` })
    assert.equal(answer.headers['x-amz-expiration'], expires)
  }
  const other = await at.s3.send({ method: 'PUT', path: `/${bucket}/b/k`, body: 'x' })
  assert.equal(other.headers['x-amz-expiration'], undefined)
})
