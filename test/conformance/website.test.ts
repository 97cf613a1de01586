import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { putObject } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const pages =
  '<IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument>'
const index = '<IndexDocument><Suffix>index.html</Suffix></IndexDocument>'

/** A bucket whose objects below `public/`, index and error page everybody may read, and visits to it. */
async function site(website: string | undefined) {
  const { bucket } = await bucketDocument(at, 'website')
  const document = await bucketDocument(at, 'website', bucket)
  if (website !== undefined) {
    await putDocument(document, `<WebsiteConfiguration>${website}</WebsiteConfiguration>`)
  }
  const block = await at.s3.send({ method: 'DELETE', path: `/${bucket}?publicAccessBlock` })
  assert.equal(block.status, 204, block.text)
  const arns = ['public/*', 'index.html', 'error.html', 'moved'].map((key) => `arn:aws:s3:::${bucket}/${key}`)
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arns }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  const put = await at.s3.send({ method: 'PUT', path: `/${bucket}?policy`, body: policy })
  assert.equal(put.status, 204, put.text)
  const host = `${bucket}.s3-website.localhost:${at.s3.endpoint.port}`
  return {
    bucket,
    host,
    visit: (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      at.s3.send({ method, path, headers: { ...headers, host }, anonymous: true }),
  }
}

const html = { 'content-type': 'text/html' }

test('a website shows index documents, objects, and ranges and conditions of them', async () => {
  const { bucket, visit } = await site(pages)
  await putObject(at.s3, `/${bucket}/index.html`, 'home', html)
  await putObject(at.s3, `/${bucket}/public/index.html`, 'folder', html)
  await putObject(at.s3, `/${bucket}/public/a.txt`, '0123456789')
  const home = await visit('/')
  assert.equal(home.status, 200)
  assert.equal(home.text, 'home')
  assert.equal(home.headers['content-type'], 'text/html')
  assert.equal((await visit('/public/')).text, 'folder')
  assert.equal((await visit('/public/a.txt?X-Amz-Signature=ignored&acl')).text, '0123456789')
  const range = await visit('/public/a.txt', { range: 'bytes=2-3' })
  assert.equal(range.status, 206)
  assert.equal(range.text, '23')
  const same = await visit('/', { 'if-none-match': home.headers.etag ?? '' })
  assert.equal(same.status, 304)
  assert.equal(same.text, '')
  const head = await visit('/', {}, 'HEAD')
  assert.equal(head.status, 200)
  assert.equal(head.headers['content-length'], '4')
})

test('a folder without its slash is redirected to it, when it has an index that everybody may read', async () => {
  const { bucket, visit } = await site(index)
  await putObject(at.s3, `/${bucket}/public/x/index.html`, 'x')
  await putObject(at.s3, `/${bucket}/secret/index.html`, 'x')
  const folder = await visit('/public/x')
  assert.equal(folder.status, 302)
  assert.equal(folder.headers.location, '/public/x/')
  assert.equal((await visit('/secret')).status, 403)
})

test('a website tells errors by its own page, with the status of the error', async () => {
  const { bucket, visit } = await site(pages)
  const before = await visit('/public/none')
  assert.equal(before.status, 403)
  assert.ok(before.text.includes('Custom Error Document'), before.text)
  await putObject(at.s3, `/${bucket}/error.html`, 'sorry', html)
  const answer = await visit('/public/none', { range: 'bytes=1-2' })
  assert.equal(answer.status, 403)
  assert.equal(answer.text, 'sorry')
  assert.equal(answer.headers['content-type'], 'text/html')
  assert.equal(answer.headers['x-amz-error-code'], 'AccessDenied')
})

test('a website without an error page tells errors in HTML, and shows nothing that is not public', async () => {
  const { bucket, visit } = await site(index)
  await putObject(at.s3, `/${bucket}/secret.txt`, 'secret')
  const hidden = await visit('/secret.txt')
  assert.equal(hidden.status, 403)
  assert.equal(hidden.headers['content-type'], 'text/html; charset=utf-8')
  assert.match(hidden.text, /<h1>403 Forbidden<\/h1>\n<ul>\n<li>Code: AccessDenied<\/li>/)
  assert.ok(!hidden.text.includes('secret.txt'))
  const head = await visit('/secret.txt', {}, 'HEAD')
  assert.equal(head.status, 403)
  assert.equal(head.text, '')
  const put = await visit('/public/new', {}, 'PUT')
  assert.equal(put.status, 405)
  assert.match(put.text, /<li>Code: MethodNotAllowed<\/li>/)
  assert.equal((await visit('/public/%ff')).status, 400)
  const list = await visit('/?list-type=2')
  assert.equal(list.status, 403)
})

test('a bucket that is no website, and one that is not there, say so in HTML', async () => {
  const { visit, host } = await site(undefined)
  const answer = await visit('/')
  assert.equal(answer.status, 404)
  assert.match(answer.text, /<li>Code: NoSuchWebsiteConfiguration<\/li>/)
  const nowhere = await at.s3.send({ path: '/', headers: { host: `not-${host}` }, anonymous: true })
  assert.equal(nowhere.status, 404)
  assert.match(nowhere.text, /<li>Code: NoSuchBucket<\/li>/)
})

test('a signature changes nothing: a website shows what everybody may read', async () => {
  const { bucket, host } = await site(index)
  await putObject(at.s3, `/${bucket}/secret.txt`, 'secret')
  const answer = await at.s3.send({ path: '/secret.txt', headers: { host } })
  assert.equal(answer.status, 403)
})

test('redirects: of the whole website, by rules before and after the look-up, and by the object', async () => {
  const all = await site(
    '<RedirectAllRequestsTo><HostName>example.org</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>',
  )
  const moved = await all.visit('/a/b?c=d')
  assert.equal(moved.status, 301)
  assert.equal(moved.headers.location, 'https://example.org/a/b?c=d')
  const rule = (condition: string, redirect: string) =>
    `<RoutingRule><Condition>${condition}</Condition><Redirect>${redirect}</Redirect></RoutingRule>`
  const { bucket, host, visit } = await site(
    `${index}<RoutingRules>${rule('<KeyPrefixEquals>docs/</KeyPrefixEquals>', '<ReplaceKeyPrefixWith>public/</ReplaceKeyPrefixWith>')}${rule('<HttpErrorCodeReturnedEquals>403</HttpErrorCodeReturnedEquals>', '<HostName>other.example</HostName><HttpRedirectCode>307</HttpRedirectCode>')}</RoutingRules>`,
  )
  assert.equal((await visit('/docs/a.html')).headers.location, `http://${host}/public/a.html`)
  const other = await visit('/public/none')
  assert.equal(other.status, 307)
  assert.equal(other.headers.location, 'http://other.example/public/none')
  await putObject(at.s3, `/${bucket}/moved`, '', { 'x-amz-website-redirect-location': '/public/new' })
  const object = await visit('/moved')
  assert.equal(object.status, 301)
  assert.equal(object.headers.location, '/public/new')
})

test('a website answers pages of other origins by the rules of its bucket', async () => {
  const { bucket, host, visit } = await site(index)
  await putObject(at.s3, `/${bucket}/index.html`, 'home')
  const rule = '<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>'
  await putDocument(
    await bucketDocument(at, 'cors', bucket),
    `<CORSConfiguration>${rule}</CORSConfiguration>`,
  )
  const origin = 'https://a.de'
  assert.equal((await visit('/', { origin })).headers['access-control-allow-origin'], '*')
  const missing = await visit('/public/none', { origin })
  assert.equal(missing.headers['access-control-allow-origin'], '*')
  const headers = { host, origin, 'access-control-request-method': 'GET' }
  const preflight = await at.s3.send({ method: 'OPTIONS', path: '/', headers, anonymous: true })
  assert.equal(preflight.status, 200, preflight.text)
})
