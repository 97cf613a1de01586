import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { bucketDocument, putDocument } from './bucket-documents.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

const website = (inner: string) => `<WebsiteConfiguration>${inner}</WebsiteConfiguration>`
const index = '<IndexDocument><Suffix>index.html</Suffix></IndexDocument>'
const routing = (condition: string, redirect: string) =>
  `<RoutingRules><RoutingRule>${condition}<Redirect>${redirect}</Redirect></RoutingRule></RoutingRules>`
const toDocs = '<ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>'

test('PutBucketWebsite keeps pages and rules, or one redirect', async () => {
  const document = await bucketDocument(at, 'website')
  const pages =
    index +
    '<ErrorDocument><Key>error.html</Key></ErrorDocument>' +
    routing('<Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition>', toDocs)
  await putDocument(document, website(pages))
  const { text } = await document.get()
  assert.ok(text.includes(pages), text)
  const all =
    '<RedirectAllRequestsTo><HostName>example.org</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>'
  await putDocument(document, website(all))
  const after = (await document.get()).text
  assert.ok(after.includes(all), after)
  assert.ok(!after.includes('index.html'))
})

test('PutBucketWebsite refuses what is no website, and strangers', async () => {
  const document = await bucketDocument(at, 'website')
  const cases: readonly (readonly [string, string])[] = [
    ['', 'InvalidArgument'],
    ['<IndexDocument><Suffix></Suffix></IndexDocument>', 'InvalidArgument'],
    ['<IndexDocument><Suffix>a/b</Suffix></IndexDocument>', 'InvalidArgument'],
    [`${index}<ErrorDocument><Key></Key></ErrorDocument>`, 'InvalidArgument'],
    [`${index}<RedirectAllRequestsTo><HostName>a</HostName></RedirectAllRequestsTo>`, 'InvalidRequest'],
    ['<RedirectAllRequestsTo><HostName>a/b</HostName></RedirectAllRequestsTo>', 'InvalidRequest'],
    [
      '<RedirectAllRequestsTo><HostName>a</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>',
      'InvalidRequest',
    ],
    [index + routing('<Condition/>', toDocs), 'InvalidRequest'],
    [index + routing('', ''), 'MalformedXML'],
    [index + routing('', `${toDocs}<ReplaceKeyWith>a</ReplaceKeyWith>`), 'InvalidRequest'],
    [index + routing('', '<HttpRedirectCode>200</HttpRedirectCode>'), 'InvalidRequest'],
    [
      index +
        routing(
          '<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition>',
          toDocs,
        ),
      'InvalidRequest',
    ],
    [`${index}<Other/>`, 'MalformedXML'],
  ]
  for (const [inner, code] of cases) assertError(await document.put(website(inner)), 400, code)
  assertError(await document.put(website(index), at.other), 403, 'AccessDenied')
  assertError(await document.get(), 404, 'NoSuchWebsiteConfiguration')
})
