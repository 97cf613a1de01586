import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bucketOfHost, parseAddress, queryValue } from '../../../gateway/s3/address.ts'
import { amzDate, httpDate, isoDate, parseAmzDate, parseHttpDate } from '../../../gateway/s3/dates.ts'
import { S3Error } from '../../../gateway/s3/errors.ts'
import {
  decodeMetadata,
  decodeOverrides,
  refuseUnimplemented,
  storedContentEncoding,
} from '../../../gateway/s3/headers.ts'
import { checkKey, isBucketName, parsePartNumber } from '../../../gateway/s3/names.ts'
import { decodeToken, encodeToken, lastOf, parseEncoding, parsePageSize } from '../../../gateway/s3/paging.ts'
import { parseVersionId } from '../../../gateway/s3/versions.ts'
import { codeOf } from './s3-error-of.ts'

test("bucket names follow AWS's rules", () => {
  for (const name of ['abc', 'a1.b-c', '1bucket', 'a'.repeat(63)]) assert.ok(isBucketName(name), name)
  const bad = [
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    '-ab',
    'ab-',
    '.ab',
    'a..b',
    'a.-b',
    '192.168.5.4',
    'xn--abc',
    'a-s3alias',
    'sthree-x',
    'ümlaut',
    'a/b',
    '',
  ]
  for (const name of bad) assert.ok(!isBucketName(name), name)
})

test('a key has at most 1,024 bytes of UTF-8', () => {
  assert.equal(
    codeOf(() => checkKey('a'.repeat(1024))),
    'no error',
  )
  assert.equal(
    codeOf(() => checkKey('a'.repeat(1025))),
    'KeyTooLongError',
  )
  assert.equal(
    codeOf(() => checkKey('ü'.repeat(512))),
    'no error',
  )
  assert.equal(
    codeOf(() => checkKey('ü'.repeat(513))),
    'KeyTooLongError',
  )
  assert.equal(
    codeOf(() => checkKey('😀'.repeat(257))),
    'KeyTooLongError',
  )
})

test('path style and virtual-host style name the same object', () => {
  const domains = ['localhost', 's3.localhost']
  const path = parseAddress('/bucket/a%20b/c', 'localhost:9000', domains)
  const host = parseAddress('/a%20b/c', 'bucket.s3.localhost:9000', domains)
  for (const address of [path, host]) {
    assert.equal(address.bucket, 'bucket')
    assert.equal(address.key, 'a b/c')
  }
  assert.equal(parseAddress('/', 'localhost', domains).bucket, '')
  assert.equal(parseAddress('/bucket/', 'x', domains).key, '')
  assert.equal(parseAddress('/bucket//k', 'x', domains).key, '/k')
})

test('the host names a bucket only below one of our domains', () => {
  const domains = ['localhost', 's3.localhost']
  assert.equal(bucketOfHost('s3.localhost:9000', domains), '')
  assert.equal(bucketOfHost('b.localhost', domains), 'b')
  assert.equal(bucketOfHost('A.B.s3.LOCALHOST:1', domains), 'a.b')
  assert.equal(bucketOfHost('127.0.0.1:9000', domains), '')
  assert.equal(bucketOfHost('[::1]:9000', domains), '')
  assert.equal(bucketOfHost('notlocalhost', domains), '')
  assert.equal(bucketOfHost(undefined, domains), '')
})

test('escapes that are not UTF-8, and foreign request targets, are InvalidURI', () => {
  for (const url of ['/b/%ff', '/b/%', '/b/%zz', 'http://x/b', '*', '/b?a=%ff']) {
    assert.equal(
      codeOf(() => parseAddress(url, 'h', [])),
      'InvalidURI',
      url,
    )
  }
})

test('whatever the request target holds, it is an address or InvalidURI', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (url, host) => {
      try {
        const address = parseAddress(`/${url}`, host, ['localhost'])
        assert.equal(
          typeof queryValue(address.query, 'x'),
          queryValue(address.query, 'x') === undefined ? 'undefined' : 'string',
        )
      } catch (error) {
        assert.ok(error instanceof S3Error)
        assert.equal(error.code, 'InvalidURI')
      }
    }),
  )
})

test('dates in all spellings', () => {
  const ms = Date.UTC(1994, 10, 6, 8, 49, 37)
  assert.equal(httpDate(ms + 999), 'Sun, 06 Nov 1994 08:49:37 GMT')
  assert.equal(isoDate(ms + 999), '1994-11-06T08:49:37.000Z')
  assert.equal(amzDate(ms), '19941106T084937Z')
  assert.equal(parseAmzDate('19941106T084937Z'), ms)
  for (const text of ['19941306T084937Z', '1994-11-06T08:49:37Z', '', '19940231T000000Z']) {
    assert.equal(parseAmzDate(text), undefined, text)
  }
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
  ]) {
    assert.equal(parseHttpDate(text), ms, text)
  }
})

test('continuation tokens carry any key and nothing else is one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      fc.pre(key.isWellFormed())
      assert.equal(decodeToken(encodeToken(key)), key)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (token) => {
      try {
        assert.equal(encodeToken(decodeToken(token)), token)
      } catch (error) {
        assert.ok(error instanceof S3Error)
        assert.equal(error.code, 'InvalidArgument')
      }
    }),
  )
})

test('the last name of a page is the later of its keys and prefixes, in byte order', () => {
  assert.equal(lastOf(['a', 'b'], ['aa/']), 'b')
  assert.equal(lastOf(['a'], ['b/']), 'b/')
  assert.equal(lastOf([], []), '')
  // U+FF61 sorts after U+1F600 in UTF-16, before it in UTF-8.
  assert.equal(lastOf(['\uff61'], ['\u{1f600}/']), '\u{1f600}/')
})

test('page sizes are cut to the maximum; what is no size is refused', () => {
  assert.equal(parsePageSize('max-keys', undefined, 1000), 1000)
  assert.equal(parsePageSize('max-keys', '', 1000), 1000)
  assert.equal(parsePageSize('max-keys', '0', 1000), 0)
  assert.equal(parsePageSize('max-keys', '5000', 1000), 1000)
  for (const text of ['-1', 'x', '1.5', '99999999999', ' 1']) {
    assert.equal(
      codeOf(() => parsePageSize('max-keys', text, 1000)),
      'InvalidArgument',
      text,
    )
  }
})

test('encoding-type=url escapes all but slashes', () => {
  assert.equal(parseEncoding('url').encode('a b/ü+&\u0001'), 'a%20b/%C3%BC%2B%26%01')
  assert.equal(parseEncoding(undefined).encode('a b'), 'a b')
  assert.equal(
    codeOf(() => parseEncoding('base64')),
    'InvalidArgument',
  )
})

test('part numbers and version ids', () => {
  assert.equal(parsePartNumber('10000'), 10_000)
  for (const text of ['0', '10001', '-1', '', 'x', '1e2']) {
    assert.equal(
      codeOf(() => parsePartNumber(text)),
      'InvalidArgument',
      text,
    )
  }
  assert.equal(parseVersionId('null'), 'null')
  assert.equal(parseVersionId('0a'.repeat(16)), '0a'.repeat(16))
  for (const text of ['', 'abc', 'NULL', '0A'.repeat(16), '0'.repeat(31), `${'0'.repeat(32)}\n`]) {
    assert.equal(
      codeOf(() => parseVersionId(text)),
      'InvalidArgument',
      text,
    )
  }
})

test('metadata keeps what describes the object, not the transfer', () => {
  const metadata = decodeMetadata({
    'content-type': 'video/mp4',
    'content-encoding': 'aws-chunked,gzip',
    'x-amz-meta-land': 'BY',
    'x-amz-date': 'x',
    host: 'h',
  })
  assert.deepEqual(metadata, {
    system: { 'content-type': 'video/mp4', 'content-encoding': 'gzip' },
    user: { land: 'BY' },
  })
  assert.equal(storedContentEncoding('aws-chunked'), undefined)
  assert.equal(decodeMetadata({}).system['content-type'], 'binary/octet-stream')
})

test('user metadata has at most 2 KiB of names and values', () => {
  assert.equal(
    codeOf(() => decodeMetadata({ 'x-amz-meta-a': 'v'.repeat(2047) })),
    'no error',
  )
  assert.equal(
    codeOf(() => decodeMetadata({ 'x-amz-meta-a': 'v'.repeat(2048) })),
    'MetadataTooLarge',
  )
})

test('headers that ask for what we do not do are refused on writes; what clients send by default is not', () => {
  const refused: Record<string, string> = {
    'x-amz-bucket-namespace': 'account-regional',
    'x-amz-bucket-object-lock-enabled': 'true',
    'x-amz-write-offset-bytes': '0',
  }
  for (const [name, value] of Object.entries(refused)) {
    assert.equal(
      codeOf(() => refuseUnimplemented({ [name]: value })),
      'NotImplemented',
      name,
    )
  }
  assert.equal(
    codeOf(() => refuseUnimplemented({ 'x-amz-storage-class': 'GLACIER' })),
    'InvalidStorageClass',
  )
  const usual = {
    'x-amz-acl': 'private',
    'x-amz-storage-class': 'STANDARD',
    'x-amz-server-side-encryption': 'AES256',
  }
  assert.equal(
    codeOf(() => refuseUnimplemented({ ...usual, 'x-amz-meta-acl': 'x' })),
    'no error',
  )
})

test('response overrides become headers, and cannot inject any', () => {
  const overrides = (values: Record<string, string>) => decodeOverrides((name) => values[name])
  assert.deepEqual(overrides({ 'response-content-type': 'text/plain' }), { 'content-type': 'text/plain' })
  assert.equal(
    codeOf(() => overrides({ 'response-expires': 'x\r\nset-cookie: a' })),
    'InvalidArgument',
  )
})
