import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeNotifications, encodeNotifications } from '../../../gateway/s3/notification.ts'
import { parseXml } from '../../../gateway/s3/xml.ts'
import { matchesEvent } from '../../../node/core/notification.ts'
import { codeOf } from './s3-error-of.ts'

const root = 'NotificationConfiguration'
const parse = (inner: string) =>
  decodeNotifications(parseXml(Buffer.from(`<${root}>${inner}</${root}>`), root), () => 'made')
const code = (inner: string) => codeOf(() => parse(inner))

const arn = 'arn:aws:sns:eu-central-1:a11ce:alarm'
const filter = (...rules: [string, string][]) =>
  `<Filter><S3Key>${rules.map(([name, value]) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`).join('')}</S3Key></Filter>`
const topic = (id: string, events: string[], more = '', target = arn) =>
  `<TopicConfiguration><Id>${id}</Id><Topic>${target}</Topic>${events.map((event) => `<Event>${event}</Event>`).join('')}${more}</TopicConfiguration>`

test('a notification document is told back as it was put', () => {
  const inner =
    topic(
      'a',
      ['s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'],
      filter(['Prefix', 'in/'], ['Suffix', '.mp4']),
    ) +
    '<QueueConfiguration><Id>b</Id><Queue>arn:aws:sqs:eu-central-1:a11ce:q</Queue><Event>s3:ObjectTagging:*</Event></QueueConfiguration>' +
    '<EventBridgeConfiguration></EventBridgeConfiguration>'
  const parsed = parse(inner)
  assert.equal(parsed.eventBridge, true)
  assert.deepEqual(parsed.rules[0]?.filter, { prefix: 'in/', suffix: '.mp4' })
  assert.ok(encodeNotifications(parsed).includes(inner))
  assert.deepEqual(parse(''), { rules: [], eventBridge: false })
})

test('rules without an id get one; events are known; targets are ARNs of the right service', () => {
  assert.equal(parse(topic('', ['s3:ObjectCreated:Put'])).rules[0]?.id, 'made')
  assert.equal(code(topic('a', [])), 'MalformedXML')
  assert.equal(code(topic('a', ['s3:ObjectCreated:Sent'])), 'InvalidArgument')
  assert.equal(code(topic('a', ['s3:ObjectCreated:Put'], '', 'http://a.de')), 'InvalidArgument')
  assert.equal(code(topic('a', ['s3:ObjectCreated:Put'], '', 'arn:aws:sqs:r:a:q')), 'InvalidArgument')
  assert.equal(code(topic('i'.repeat(256), ['s3:ObjectCreated:Put'])), 'InvalidArgument')
  assert.equal(code(`${topic('a', ['s3:ObjectCreated:Put'])}<Other/>`), 'MalformedXML')
})

test('filters have at most one prefix and one suffix', () => {
  const with_ = (...rules: [string, string][]) => code(topic('a', ['s3:ObjectCreated:Put'], filter(...rules)))
  assert.equal(with_(['prefix', 'a'], ['SUFFIX', 'b']), 'no error')
  assert.equal(with_(['prefix', 'a'], ['Prefix', 'b']), 'InvalidArgument')
  assert.equal(with_(['contains', 'a']), 'InvalidArgument')
  assert.equal(with_(['prefix', 'a'.repeat(1025)]), 'InvalidArgument')
})

test('no event may match two rules', () => {
  const put = ['s3:ObjectCreated:Put']
  const all = ['s3:ObjectCreated:*']
  assert.equal(code(topic('a', put) + topic('a', ['s3:ObjectRemoved:*'])), 'InvalidArgument')
  assert.equal(code(topic('a', put) + topic('b', ['s3:ObjectRemoved:*'])), 'no error')
  assert.equal(code(topic('a', put) + topic('b', all)), 'InvalidArgument')
  const prefixed = (id: string, prefix: string, suffix = '') =>
    topic(id, all, filter(['prefix', prefix], ['suffix', suffix]))
  assert.equal(code(prefixed('a', 'x/') + prefixed('b', 'y/')), 'no error')
  assert.equal(code(prefixed('a', 'x') + prefixed('b', 'x/y')), 'InvalidArgument')
  assert.equal(code(prefixed('a', 'x', '.jpg') + prefixed('b', 'x/y', '.png')), 'no error')
})

test('a pattern matches the events of its type', () => {
  assert.ok(matchesEvent('s3:ObjectCreated:*', 's3:ObjectCreated:Put'))
  assert.ok(!matchesEvent('s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'))
  assert.ok(!matchesEvent('s3:ObjectCreated:Put', 's3:ObjectCreated:*'))
})
