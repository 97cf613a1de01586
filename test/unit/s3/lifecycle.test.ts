import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeLifecycle, encodeLifecycle } from '../../../gateway/s3/lifecycle.ts'
import { parseXml } from '../../../gateway/s3/xml.ts'
import type { LifecycleRule } from '../../../node/core/bucket-configuration.ts'
import { codeOf } from './s3-error-of.ts'

const root = 'LifecycleConfiguration'
function parse(rules: string): readonly LifecycleRule[] {
  let made = 0
  return decodeLifecycle(parseXml(Buffer.from(`<${root}>${rules}</${root}>`), root), () => `made-${made++}`)
}
const days = '<Expiration><Days>1</Days></Expiration>'
const rule = (inside: string, status = 'Enabled') => `<Rule>${inside}<Status>${status}</Status></Rule>`
const filtered = (filter: string, action = days) => rule(`<Filter>${filter}</Filter>${action}`)
const acting = (action: string) => filtered('<Prefix>a/</Prefix>', action)
const only = (rules: string): LifecycleRule => {
  const [first] = parse(rules)
  assert.ok(first)
  return first
}
const code = (rules: string) => codeOf(() => parse(rules))

const positive = fc.integer({ min: 1, max: 10_000 })
const exact = { noNullPrototype: true } as const
const filter = fc.record(
  {
    prefix: fc.constantFrom('', 'a/', 'ü & <'),
    tags: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', 'x'), { minKeys: 1, ...exact }),
    bytesAbove: fc.integer({ min: 0, max: 100 }),
    bytesBelow: fc.integer({ min: 101, max: 200 }),
  },
  { requiredKeys: [], ...exact },
)
const expiration = fc.oneof(
  fc.record({ days: positive }, exact),
  fc.record({ dateMs: positive.map((day) => day * 86_400_000) }, exact),
)
const lifecycle = fc
  .array(
    fc.record(
      {
        enabled: fc.boolean(),
        filter,
        expiration,
        abortUploadsAfterDays: positive,
        noncurrentExpiration: fc.record(
          { days: positive, newerVersions: fc.integer({ min: 1, max: 100 }) },
          { requiredKeys: ['days'], ...exact },
        ),
      },
      { requiredKeys: ['enabled', 'filter', 'expiration'], ...exact },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((rules) =>
    rules.map(({ abortUploadsAfterDays, ...rule }, index) => ({
      id: `rule-${index}`,
      ...rule,
      // Uploads have neither tags nor sizes.
      ...(Object.keys(rule.filter).some((name) => name !== 'prefix') || abortUploadsAfterDays === undefined
        ? {}
        : { abortUploadsAfterDays }),
    })),
  )

test('a lifecycle document is read back as it was written', () => {
  fc.assert(
    fc.property(lifecycle, (rules) => {
      const body = Buffer.from(encodeLifecycle(rules))
      const back = decodeLifecycle(parseXml(body, root), () => 'none')
      // Several predicates are told back inside And, which is then their form.
      assert.deepEqual(
        back.map(({ filterForm, ...rule }) => rule),
        rules,
      )
      assert.equal(encodeLifecycle(back), encodeLifecycle(rules))
    }),
  )
})

test('the old form, with the prefix beside the actions, is told back in the old form', () => {
  const old = parse(rule(`<ID>a</ID><Prefix>logs/</Prefix>${days}`, 'Disabled'))
  assert.deepEqual(old, [
    { id: 'a', enabled: false, filter: { prefix: 'logs/' }, filterForm: 'prefix', expiration: { days: 1 } },
  ])
  assert.match(encodeLifecycle(old), /<ID>a<\/ID><Prefix>logs\/<\/Prefix><Status>Disabled<\/Status>/)
})

test('rules without an id get one; an id is unique and bounded', () => {
  const two = parse(filtered('') + filtered('<Prefix>b</Prefix>'))
  assert.deepEqual(
    two.map((each) => each.id),
    ['made-0', 'made-1'],
  )
  assert.equal(code(rule(`<ID>${'i'.repeat(255)}</ID><Filter/>${days}`)), 'no error')
  assert.equal(code(rule(`<ID>${'i'.repeat(256)}</ID><Filter/>${days}`)), 'InvalidArgument')
  assert.equal(code(rule(`<ID>a</ID><Filter/>${days}`).repeat(2)), 'InvalidArgument')
})

test('a rule has a status, one scope and an action; documents do not mix old and new', () => {
  assert.equal(code(''), 'MalformedXML')
  assert.equal(code(rule(`<Filter/>${days}`, 'enabled')), 'MalformedXML')
  assert.equal(code(`<Rule><Filter/>${days}</Rule>`), 'MalformedXML')
  assert.equal(code(rule(days)), 'MalformedXML')
  assert.equal(code(rule(`<Filter/><Prefix/>${days}`)), 'MalformedXML')
  assert.equal(code(rule(`<Filter/>${days}<Other/>`)), 'MalformedXML')
  assert.equal(code(rule('<Filter/>')), 'InvalidRequest')
  assert.equal(code(filtered('') + rule(`<Prefix/>${days}`)), 'InvalidRequest')
  assert.equal(code(filtered('').repeat(1001)), 'MalformedXML')
})

test('an expiration says one thing: days, a midnight, or the marker', () => {
  const expire = (inside: string) => acting(`<Expiration>${inside}</Expiration>`)
  assert.deepEqual(only(expire('<Date>2030-01-02</Date>')).expiration, { dateMs: Date.UTC(2030, 0, 2) })
  assert.deepEqual(only(expire('<Date>2030-01-02T00:00:00.000Z</Date>')).expiration, {
    dateMs: Date.UTC(2030, 0, 2),
  })
  assert.deepEqual(only(expire('<Date>2030-01-02T02:00:00+02:00</Date>')).expiration, {
    dateMs: Date.UTC(2030, 0, 2),
  })
  assert.deepEqual(only(expire('<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>')).expiration, {
    expiredObjectDeleteMarker: true,
  })
  assert.deepEqual(
    only(expire('<Days>3</Days><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker>')).expiration,
    { days: 3 },
  )
  for (const days of ['0', '-1', '2147483648']) {
    assert.equal(code(expire(`<Days>${days}</Days>`)), 'InvalidArgument', days)
  }
  assert.equal(code(expire('<Date>1970-08-22T19:15:01Z</Date>')), 'InvalidArgument')
  for (const inside of [
    '',
    '<Days>x</Days>',
    '<Days>1.5</Days>',
    '<Days/>',
    '<Date>20200101</Date>',
    '<Date>2030-02-40</Date>',
    '<Days>1</Days><Date>2030-01-02</Date>',
    '<Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>',
    '<ExpiredObjectDeleteMarker>perhaps</ExpiredObjectDeleteMarker>',
  ]) {
    assert.equal(code(expire(inside)), 'MalformedXML', inside)
  }
})

test('noncurrent versions and uploads that were never finished have positive bounds', () => {
  const noncurrent = (inside: string) =>
    acting(`<NoncurrentVersionExpiration>${inside}</NoncurrentVersionExpiration>`)
  const abort = (count: string) =>
    `<AbortIncompleteMultipartUpload><DaysAfterInitiation>${count}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`
  const newer = (count: number) =>
    `<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>${count}</NewerNoncurrentVersions>`
  assert.deepEqual(only(noncurrent(newer(5))).noncurrentExpiration, {
    days: 1,
    newerVersions: 5,
  })
  assert.equal(code(noncurrent(newer(0))), 'InvalidArgument')
  assert.equal(code(noncurrent(newer(101))), 'InvalidArgument')
  assert.equal(code(noncurrent('<NoncurrentDays>0</NoncurrentDays>')), 'InvalidArgument')
  assert.equal(code(noncurrent('<NewerNoncurrentVersions>1</NewerNoncurrentVersions>')), 'MalformedXML')
  assert.deepEqual(only(acting(abort('7'))).abortUploadsAfterDays, 7)
  assert.equal(code(acting(abort('0'))), 'InvalidArgument')
})

const tag = (key: string, value = 'v') => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`

test('a filter is one predicate, or several in And; several side by side must all hold', () => {
  assert.deepEqual(only(filtered('')).filter, {})
  assert.deepEqual(only(filtered('<Prefix/>')).filter, { prefix: '' })
  assert.deepEqual(only(filtered(tag('a'))).filter, { tags: { a: 'v' } })
  const both = { prefix: 'p', tags: { a: 'v' } }
  assert.deepEqual(only(filtered(`<And><Prefix>p</Prefix>${tag('a')}</And>`)).filter, both)
  assert.deepEqual(only(filtered(`<Prefix>p</Prefix>${tag('a')}`)).filter, both)
  assert.match(
    encodeLifecycle(parse(filtered(`<Prefix>p</Prefix>${tag('a')}`))),
    /<Filter><And><Prefix>p<\/Prefix><Tag>.*<\/Tag><\/And><\/Filter>/,
  )
  const nested = `<Prefix>days1/</Prefix>${tag('tom')}<And><Prefix>days1</Prefix>${tag('huck')}</And>`
  assert.deepEqual(only(filtered(nested)).filter, {
    prefix: 'days1/',
    tags: { tom: 'v', huck: 'v' },
  })
  for (const wrong of [
    '<And><Prefix>p</Prefix></And>',
    '<And/>',
    `<And><And/>${tag('a')}${tag('b')}</And>`,
    '<Prefix>a</Prefix><Prefix>b</Prefix>',
    `<Prefix>a</Prefix><And><Prefix>b</Prefix>${tag('a')}</And>`,
    '<Key>a</Key>',
  ]) {
    assert.equal(code(filtered(wrong)), 'MalformedXML', wrong)
  }
  assert.equal(code(filtered(`<And>${tag('a')}${tag('a')}</And>`)), 'InvalidTag')
  assert.equal(code(filtered(`<Prefix>${'p'.repeat(1025)}</Prefix>`)), 'InvalidRequest')
})

test('sizes are bytes, and leave something between them', () => {
  const sizes = (greater: string, less: string) =>
    filtered(
      `<And><ObjectSizeGreaterThan>${greater}</ObjectSizeGreaterThan><ObjectSizeLessThan>${less}</ObjectSizeLessThan></And>`,
    )
  assert.deepEqual(only(sizes('0', '2')).filter, { bytesAbove: 0, bytesBelow: 2 })
  assert.equal(code(sizes('5', '5')), 'InvalidRequest')
  assert.equal(code(sizes('-1', '5')), 'InvalidArgument')
  assert.equal(code(sizes('0', '0')), 'InvalidArgument')
})

test('actions that know no tags or sizes cannot be bound to them', () => {
  const marker = '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>'
  const abort =
    '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>'
  const size = '<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan>'
  for (const action of [marker, abort]) {
    assert.equal(code(filtered(tag('a'), action)), 'InvalidRequest')
    assert.equal(code(filtered(size, action)), 'InvalidRequest')
    assert.equal(code(filtered('<Prefix>a</Prefix>', action)), 'no error')
  }
})

test('a transition is checked, then refused: there is one storage class', () => {
  const move = (inside: string, storageClass = 'GLACIER') =>
    acting(`<Transition>${inside}<StorageClass>${storageClass}</StorageClass></Transition>`)
  assert.equal(code(move('<Days>0</Days>')), 'NotImplemented')
  assert.equal(code(move('<Days>-1</Days>')), 'InvalidArgument')
  assert.equal(code(move('<Date>2030-01-02T01:00:00Z</Date>')), 'InvalidArgument')
  assert.equal(code(move('')), 'MalformedXML')
  assert.equal(code(move('<Days>1</Days>', 'STANDARD')), 'MalformedXML')
  const noncurrent =
    '<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>'
  assert.equal(code(acting(noncurrent)), 'NotImplemented')
})
