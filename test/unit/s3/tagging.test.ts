import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkTags,
  decodeTagging,
  decodeTaggingHeader,
  encodeTagging,
  type Tag,
} from '../../../gateway/s3/tagging.ts'
import { parseXml } from '../../../gateway/s3/xml.ts'
import type { Tags } from '../../../node/core/bucket-configuration.ts'
import { codeOf } from './s3-error-of.ts'

function parse(xml: string, tagged: 'object' | 'bucket' = 'object'): Tags {
  return decodeTagging(parseXml(Buffer.from(xml), 'Tagging'), tagged)
}

const char = fc.constantFrom(...'azAZ09_.:/=+-@ äß日𝒳')
const tagText = fc.array(char, { maxLength: 20 }).map((chars) => chars.join(''))
const tagSet = fc
  .uniqueArray(
    fc.tuple(
      tagText.map((text) => `k${text}`),
      tagText,
    ),
    { selector: ([key]) => key, maxLength: 10 },
  )
  .map((tags): Tags => Object.fromEntries(tags))

test('a tag set is read back as it was written, in its order', () => {
  fc.assert(
    fc.property(tagSet, (tags) => {
      const back = parse(encodeTagging(tags))
      assert.deepEqual(back, tags)
      assert.deepEqual(Object.keys(back), Object.keys(tags))
    }),
  )
})

test('the header form carries the same sets, escaped or as raw UTF-8', () => {
  fc.assert(
    fc.property(tagSet, (tags) => {
      const escaped = Object.entries(tags).map(
        ([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`,
      )
      assert.deepEqual(decodeTaggingHeader(escaped.join('&')), tags)
    }),
  )
  const raw = Buffer.from('grün=weiß', 'utf8').toString('latin1')
  assert.deepEqual(decodeTaggingHeader(raw), { grün: 'weiß' })
})

test('the header knows keys without value, and plus for a space', () => {
  assert.deepEqual(decodeTaggingHeader('a&b=&c=x+y&'), { a: '', b: '', c: 'x y' })
  assert.deepEqual(decodeTaggingHeader(undefined), {})
  assert.deepEqual(decodeTaggingHeader(''), {})
})

test('a header with a key twice, or with escapes that are not UTF-8, is an invalid argument', () => {
  for (const header of ['a=1&a=2', 'a=%ff', 'a=%', '%zz=1']) {
    assert.equal(
      codeOf(() => decodeTaggingHeader(header)),
      'InvalidArgument',
      header,
    )
  }
})

test('counts, lengths and characters are bounded as AWS bounds them', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: '' }))
  const code = (tags: readonly Tag[], tagged: 'object' | 'bucket' = 'object') =>
    codeOf(() => checkTags(tags, tagged))
  assert.equal(code(many(10)), 'no error')
  assert.equal(code(many(11)), 'InvalidTag')
  assert.equal(code(many(50), 'bucket'), 'no error')
  assert.equal(code(many(51), 'bucket'), 'BadRequest')
  // Lengths count characters: these are two UTF-16 units and four bytes each.
  assert.equal(code([{ key: '𝒳'.repeat(128), value: '𝒳'.repeat(256) }]), 'no error')
  assert.equal(code([{ key: '𝒳'.repeat(129), value: '' }]), 'InvalidTag')
  assert.equal(code([{ key: 'k', value: 'v'.repeat(257) }]), 'InvalidTag')
  assert.equal(code([{ key: '', value: 'v' }]), 'InvalidTag')
  assert.equal(code([{ key: 'k', value: 'a*b' }]), 'InvalidTag')
  assert.equal(code([{ key: 'k\n', value: '' }]), 'InvalidTag')
  assert.equal(code([{ key: '__proto__', value: '' }]), 'InvalidTag')
  assert.equal(code([{ key: 'constructor', value: 'toString' }]), 'no error')
})

test('keys are unique, case-sensitive, and not those of the system', () => {
  const code = (keys: string[]) =>
    codeOf(() =>
      checkTags(
        keys.map((key) => ({ key, value: '' })),
        'bucket',
      ),
    )
  assert.equal(code(['a', 'A']), 'no error')
  assert.equal(code(['a', 'a']), 'InvalidTag')
  assert.equal(code(['aws:x']), 'InvalidTag')
  assert.equal(code(['AWS:x']), 'InvalidTag')
  assert.equal(code(['laws:x']), 'no error')
})

test('a document that is no Tagging is malformed, an empty set is none', () => {
  for (const xml of [
    '<Tagging/>',
    '<Tagging><TagSet/><TagSet/></Tagging>',
    '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Key>a</Key><Value/><Other/></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tags/></TagSet></Tagging>',
    '<Tagging><Tag><Key>a</Key><Value/></Tag></Tagging>',
  ]) {
    assert.equal(
      codeOf(() => parse(xml)),
      'MalformedXML',
      xml,
    )
  }
  assert.deepEqual(parse('<Tagging><TagSet/></Tagging>'), {})
})
