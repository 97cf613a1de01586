import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BucketConfiguration, NotificationRule } from '../../node/core/bucket-configuration.ts'
import { type EventName, noticeOf } from '../../node/core/notification.ts'

const rule = (
  id: string,
  events: readonly string[],
  filter?: NotificationRule['filter'],
): NotificationRule => ({
  id,
  kind: 'queue',
  target: `arn:aws:sqs:eu-central-1::${id}`,
  events,
  ...(filter === undefined ? {} : { filter }),
})

const about = (configuration: BucketConfiguration, name: EventName, key: string) =>
  noticeOf({ name: 'akten', ownerId: 'bpol', configuration }, key, {
    done: name,
    principalId: 'p',
    sourceIp: '127.0.0.1',
    requestId: 'R1',
  })

const ruleIds = (rules: readonly NotificationRule[], name: EventName, key = 'akten/a.mp4') =>
  about({ notifications: rules }, name, key)?.done?.targets.map((target) => target.ruleId)

test('a rule hears of the events that it names, alone or as a group', () => {
  const rules = [
    rule('puts', ['s3:ObjectCreated:Put']),
    rule('all-created', ['s3:ObjectCreated:*']),
    rule('removed', ['s3:ObjectRemoved:*', 's3:LifecycleExpiration:Delete']),
  ]
  assert.deepEqual(ruleIds(rules, 'ObjectCreated:Put'), ['puts', 'all-created'])
  assert.deepEqual(ruleIds(rules, 'ObjectCreated:Copy'), ['all-created'])
  assert.deepEqual(ruleIds(rules, 'ObjectRemoved:DeleteMarkerCreated'), ['removed'])
  assert.deepEqual(ruleIds(rules, 'LifecycleExpiration:Delete'), ['removed'])
  assert.equal(ruleIds(rules, 'LifecycleExpiration:DeleteMarkerCreated'), undefined)
  assert.equal(ruleIds([], 'ObjectCreated:Put'), undefined)
})

test('prefix and suffix of a key both have to match', () => {
  const rules = [rule('r', ['s3:ObjectCreated:*'], { prefix: 'akten/', suffix: '.mp4' })]
  assert.deepEqual(ruleIds(rules, 'ObjectCreated:Put'), ['r'])
  assert.equal(ruleIds(rules, 'ObjectCreated:Put', 'akten/a.txt'), undefined)
  assert.equal(ruleIds(rules, 'ObjectCreated:Put', 'b/a.mp4'), undefined)
})

test('the event bus hears of everything, beside the rules', () => {
  const rules = [rule('r', ['s3:ObjectRemoved:*'])]
  const heard = (name: EventName) =>
    about({ notifications: rules, eventBridge: true }, name, 'k')?.done?.targets.map(({ target }) => target)
  assert.deepEqual(heard('ObjectCreated:Put'), ['eventbridge'])
  assert.deepEqual(heard('ObjectRemoved:Delete'), ['arn:aws:sqs:eu-central-1::r', 'eventbridge'])
})
