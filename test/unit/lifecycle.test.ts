import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleRule } from '../../node/core/bucket-configuration.ts'
import {
  isUploadDue,
  type LifecycleSubject,
  lifecycleActionOf,
  nextExpiry,
  realDayMs,
} from '../../node/core/lifecycle.ts'

const midnightMs = Date.UTC(2026, 10, 27)
const hourMs = 3_600_000

function rule(extra: Partial<LifecycleRule>): LifecycleRule {
  return { id: 'r', enabled: true, filter: {}, ...extra }
}

function current(extra: Partial<LifecycleSubject> = {}): LifecycleSubject {
  return {
    kind: 'version',
    key: 'akten/a.mp4',
    modifiedMs: midnightMs + hourMs,
    bytes: 1000,
    tags: {},
    noncurrentSinceMs: undefined,
    newerNoncurrent: 0,
    alone: true,
    ...extra,
  }
}

function actionAt(nowMs: number, rules: readonly LifecycleRule[], subject: LifecycleSubject) {
  return lifecycleActionOf(rules, subject, { nowMs, dayMs: realDayMs })?.action
}

test('a version expires at the midnight UTC behind its days, not before', () => {
  const rules = [rule({ expiration: { days: 30 } })]
  const dueMs = midnightMs + 31 * realDayMs
  assert.equal(actionAt(dueMs - 1, rules, current()), undefined)
  assert.equal(actionAt(dueMs, rules, current()), 'expire')
  assert.deepEqual(nextExpiry(rules, current()), { dueMs, ruleId: 'r' })
  const onTheHour = current({ modifiedMs: midnightMs })
  assert.equal(actionAt(midnightMs + 30 * realDayMs, rules, onTheHour), 'expire')
})

test('a shortened day is counted from the moment, without rounding', () => {
  const rules = [rule({ expiration: { days: 1 } })]
  const at = (nowMs: number) => lifecycleActionOf(rules, current({ modifiedMs: 5 }), { nowMs, dayMs: 10_000 })
  assert.equal(at(10_004), undefined)
  assert.deepEqual(at(10_005), { action: 'expire', ruleId: 'r' })
})

test('a date expires what is there, and what comes later', () => {
  const rules = [rule({ expiration: { dateMs: midnightMs } })]
  assert.equal(actionAt(midnightMs - 1, rules, current()), undefined)
  assert.equal(actionAt(midnightMs, rules, current({ modifiedMs: midnightMs + 5 })), 'expire')
})

test('filters all have to match: prefix, every tag, sizes without their bounds', () => {
  const lateMs = midnightMs + 400 * realDayMs
  const due = (filter: LifecycleRule['filter'], subject = current({ tags: { a: '1', b: '2' } })) =>
    actionAt(lateMs, [rule({ filter, expiration: { days: 1 } })], subject) === 'expire'
  assert.ok(due({}))
  assert.ok(due({ prefix: 'akten/' }))
  assert.ok(!due({ prefix: 'akten/b' }))
  assert.ok(due({ tags: { a: '1' } }))
  assert.ok(due({ tags: { a: '1', b: '2' } }))
  assert.ok(!due({ tags: { a: '1', c: '2' } }))
  assert.ok(!due({ tags: { toString: '1' } }))
  assert.ok(!due({ bytesAbove: 1000 }))
  assert.ok(due({ bytesAbove: 999, bytesBelow: 1001 }))
  assert.ok(!due({ bytesBelow: 1000 }))
  assert.ok(!due({ prefix: 'akten/', tags: { a: '2' } }))
})

test('a rule that is disabled asks for nothing, and the first that asks counts', () => {
  const lateMs = midnightMs + 400 * realDayMs
  const rules = [
    rule({ id: 'off', enabled: false, expiration: { days: 1 } }),
    rule({ id: 'later', expiration: { days: 1000 } }),
    rule({ id: 'now', expiration: { days: 2 } }),
  ]
  assert.deepEqual(lifecycleActionOf(rules, current(), { nowMs: lateMs, dayMs: realDayMs }), {
    action: 'expire',
    ruleId: 'now',
  })
  assert.equal(nextExpiry(rules, current())?.ruleId, 'now')
  assert.equal(nextExpiry(rules.slice(0, 1), current()), undefined)
})

test('a noncurrent version goes by the days since it was replaced, and the newest of them may stay', () => {
  const rules = [rule({ noncurrentExpiration: { days: 2, newerVersions: 1 } })]
  const sinceMs = midnightMs
  const old = current({ alone: false, modifiedMs: 0, noncurrentSinceMs: sinceMs, newerNoncurrent: 1 })
  assert.equal(actionAt(sinceMs + 2 * realDayMs - 1, rules, old), undefined)
  assert.equal(actionAt(sinceMs + 2 * realDayMs, rules, old), 'remove')
  assert.equal(actionAt(sinceMs + 9 * realDayMs, rules, { ...old, newerNoncurrent: 0 }), undefined)
  assert.equal(actionAt(sinceMs + 9 * realDayMs, rules, current({ modifiedMs: 0 })), undefined)
})

test('an expiry of current versions leaves noncurrent ones alone', () => {
  const old = current({ alone: false, modifiedMs: 0, noncurrentSinceMs: 0 })
  assert.equal(actionAt(midnightMs, [rule({ expiration: { days: 1 } })], old), undefined)
})

test('a delete marker goes when it stands alone and is asked for, at once or by age', () => {
  const marker = current({ kind: 'marker', bytes: 0 })
  const asked = [rule({ expiration: { expiredObjectDeleteMarker: true } })]
  assert.equal(actionAt(midnightMs, asked, marker), 'remove')
  assert.equal(actionAt(midnightMs, asked, { ...marker, alone: false }), undefined)
  assert.equal(actionAt(midnightMs, asked, current()), undefined)
  const aged = [rule({ expiration: { days: 5 } })]
  assert.equal(actionAt(midnightMs + 5 * realDayMs, aged, marker), undefined)
  assert.equal(actionAt(midnightMs + 6 * realDayMs, aged, marker), 'remove')
  const tagged = [rule({ expiration: { days: 5 }, filter: { tags: { a: '1' } } })]
  assert.equal(actionAt(midnightMs + 9 * realDayMs, tagged, marker), undefined)
})

test('uploads are aborted by age and prefix', () => {
  const upload = { key: 'akten/a', startedMs: midnightMs }
  const due = (extra: Partial<LifecycleRule>, nowMs: number) =>
    isUploadDue([rule({ abortUploadsAfterDays: 2, ...extra })], upload, { nowMs, dayMs: realDayMs })
  assert.ok(!due({}, midnightMs + 2 * realDayMs - 1))
  assert.ok(due({}, midnightMs + 2 * realDayMs))
  assert.ok(!due({ filter: { prefix: 'b' } }, midnightMs + 9 * realDayMs))
  assert.ok(!due({ enabled: false }, midnightMs + 9 * realDayMs))
})
