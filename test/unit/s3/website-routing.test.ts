import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  findRoutingRule,
  folderIndex,
  folderRedirect,
  pageKey,
  redirectAll,
  routingRedirect,
} from '../../../gateway/s3/website-routing.ts'
import type { Website } from '../../../node/core/bucket-configuration.ts'

const visit = { protocol: 'http', host: 'b.s3-website.localhost:9000', key: 'docs/a b.html' } as const
const site = (...routingRules: NonNullable<Website['routingRules']>): Website => ({
  indexSuffix: 'index.html',
  routingRules,
})

test('what ends like a folder means its index document; what does not may have one', () => {
  assert.equal(pageKey(site(), ''), 'index.html')
  assert.equal(pageKey(site(), 'a/'), 'a/index.html')
  assert.equal(pageKey(site(), 'a'), 'a')
  assert.equal(folderIndex(site(), 'a'), 'a/index.html')
  assert.equal(folderIndex(site(), 'a/'), undefined)
  assert.equal(folderIndex(site(), ''), undefined)
  assert.deepEqual(folderRedirect('a/ü'), { status: 302, location: '/a/%C3%BC/' })
})

test('a rule applies before the look-up or to its error, never to both; the first one wins', () => {
  const before = { keyPrefixEquals: 'docs/', redirect: { hostName: 'one' } }
  const on404 = { httpErrorCodeEquals: 404, redirect: { hostName: 'two' } }
  const both = { keyPrefixEquals: 'img/', httpErrorCodeEquals: 404, redirect: { hostName: 'three' } }
  const website = site(both, before, on404)
  const hostOf = (key: string, status?: number) => findRoutingRule(website, key, status)?.redirect.hostName
  assert.equal(hostOf('docs/a'), 'one')
  assert.equal(hostOf('img/a'), undefined)
  assert.equal(hostOf('img/a', 404), 'three')
  assert.equal(hostOf('docs/a', 404), 'two')
  assert.equal(hostOf('docs/a', 403), undefined)
  assert.equal(
    findRoutingRule(site({ redirect: { hostName: 'all' } }), 'x', undefined)?.redirect.hostName,
    'all',
  )
  assert.equal(findRoutingRule({ indexSuffix: 'i' }, 'x', undefined), undefined)
})

test('a redirect replaces the key, its prefix, the host, the protocol and the code, as far as it says so', () => {
  const to = (redirect: NonNullable<Website['routingRules']>[number]['redirect']) =>
    routingRedirect({ keyPrefixEquals: 'docs/', redirect }, visit)
  assert.deepEqual(to({ replaceKeyPrefixWith: 'documents/' }), {
    status: 301,
    location: 'http://b.s3-website.localhost:9000/documents/a%20b.html',
  })
  assert.equal(
    to({ replaceKeyWith: 'e.html', protocol: 'https' }).location,
    'https://b.s3-website.localhost:9000/e.html',
  )
  assert.deepEqual(to({ hostName: 'example.org', httpRedirectCode: 307 }), {
    status: 307,
    location: 'http://example.org/docs/a%20b.html',
  })
  assert.equal(to({ replaceKeyPrefixWith: '' }).location, 'http://b.s3-website.localhost:9000/a%20b.html')
  // A key cannot smuggle a header or another host into the location.
  const evil = routingRedirect(
    { redirect: { httpRedirectCode: 302 } },
    { ...visit, key: '/evil.example\r\nx: y' },
  )
  assert.equal(evil.location, 'http://b.s3-website.localhost:9000//evil.example%0D%0Ax%3A%20y')
})

test('a website that is only a redirect keeps path and query', () => {
  const request = { protocol: 'http', rawPath: '/a/b?c=d' } as const
  assert.deepEqual(redirectAll({ hostName: 'example.org' }, request), {
    status: 301,
    location: 'http://example.org/a/b?c=d',
  })
  assert.equal(
    redirectAll({ hostName: 'example.org', protocol: 'https' }, request).location,
    'https://example.org/a/b?c=d',
  )
})
