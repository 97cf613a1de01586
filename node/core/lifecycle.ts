/**
 * What a bucket's lifecycle rules ask of one version, delete marker or upload. Pure; removes nothing itself.
 *
 * Invariant: an action is named only when an enabled rule matches and its time has come by the `nowMs` given (agreed
 * time, decision 0125). Whether the version may go (retention, legal hold, another version being current by now) the
 * catalog decides when it applies the command.
 * Source: AWS, "Managing the lifecycle of objects", "Lifecycle configuration elements", "Setting an object to expire".
 */
import type { LifecycleFilter, LifecycleRule, Tags } from './bucket-configuration.ts'

export const realDayMs = 86_400_000

/** `dayMs`: how long a day of a rule is; only tests have shorter ones than `realDayMs`. */
export interface LifecycleTime {
  readonly nowMs: number
  readonly dayMs: number
}

/** A version or delete marker, and where it stands among those of its key. */
export interface LifecycleSubject {
  readonly kind: 'version' | 'marker'
  readonly key: string
  readonly modifiedMs: number
  /** Of a version; 0 for a marker. */
  readonly bytes: number
  readonly tags: Tags
  /** When its successor came; undefined: it is the current one. */
  readonly noncurrentSinceMs: number | undefined
  /** Noncurrent versions of the key that are newer. */
  readonly newerNoncurrent: number
  /** Whether the key has neither another version nor another marker. */
  readonly alone: boolean
}

/**
 * expire: as a client's DELETE without version id would (versioned buckets: a delete marker).
 * remove: this version or marker, for good.
 */
export interface LifecycleAction {
  readonly action: 'expire' | 'remove'
  readonly ruleId: string
}

/** The action of the first rule that asks for one. */
export function lifecycleActionOf(
  rules: readonly LifecycleRule[],
  subject: LifecycleSubject,
  time: LifecycleTime,
): LifecycleAction | undefined {
  for (const rule of rules) {
    if (!rule.enabled) continue
    const action = actionOf(rule, subject, time)
    if (action !== undefined) return { action, ruleId: rule.id }
  }
  return undefined
}

function actionOf(
  rule: LifecycleRule,
  subject: LifecycleSubject,
  time: LifecycleTime,
): LifecycleAction['action'] | undefined {
  if (subject.noncurrentSinceMs !== undefined) {
    return isNoncurrentDue(rule, subject, subject.noncurrentSinceMs, time) ? 'remove' : undefined
  }
  if (subject.kind === 'version') {
    if (!matches(rule.filter, subject)) return undefined
    const dueMs = expiryMs(rule, subject.modifiedMs, time.dayMs)
    return dueMs !== undefined && dueMs <= time.nowMs ? 'expire' : undefined
  }
  return subject.alone && isMarkerDue(rule, subject, time) ? 'remove' : undefined
}

/** Noncurrent markers have no tags and no size, and go with the noncurrent versions. */
function isNoncurrentDue(
  rule: LifecycleRule,
  subject: LifecycleSubject,
  sinceMs: number,
  time: LifecycleTime,
): boolean {
  const { noncurrentExpiration } = rule
  if (noncurrentExpiration === undefined) return false
  if (!matchesVersion(rule.filter, subject)) return false
  if (subject.newerNoncurrent < (noncurrentExpiration.newerVersions ?? 0)) return false
  return dueAfter(sinceMs, noncurrentExpiration.days, time.dayMs) <= time.nowMs
}

/** A marker that stands alone hides nothing: it goes when asked for, or with the age that expires versions. */
function isMarkerDue(rule: LifecycleRule, subject: LifecycleSubject, time: LifecycleTime): boolean {
  const { expiration, filter } = rule
  if (expiration === undefined || !subject.key.startsWith(filter.prefix ?? '')) return false
  if (expiration.expiredObjectDeleteMarker === true) return true
  if (expiration.days === undefined || filter.tags !== undefined) return false
  return dueAfter(subject.modifiedMs, expiration.days, time.dayMs) <= time.nowMs
}

/** Whether an upload that was begun at `startedMs` is to be aborted. Filters of tags and sizes match no upload. */
export function isUploadDue(
  rules: readonly LifecycleRule[],
  upload: { readonly key: string; readonly startedMs: number },
  time: LifecycleTime,
): boolean {
  return rules.some(({ enabled, filter, abortUploadsAfterDays: days }) => {
    if (!enabled || days === undefined || !upload.key.startsWith(filter.prefix ?? '')) return false
    return !filtersVersions(filter) && dueAfter(upload.startedMs, days, time.dayMs) <= time.nowMs
  })
}

/** When the current version will expire, and by which rule: the earliest. For the header x-amz-expiration. */
export function nextExpiry(
  rules: readonly LifecycleRule[],
  version: Pick<LifecycleSubject, 'key' | 'modifiedMs' | 'bytes' | 'tags'>,
): { readonly dueMs: number; readonly ruleId: string } | undefined {
  let next: { dueMs: number; ruleId: string } | undefined
  for (const rule of rules) {
    if (!rule.enabled || !matches(rule.filter, version)) continue
    const dueMs = expiryMs(rule, version.modifiedMs, realDayMs)
    if (dueMs !== undefined && (next === undefined || dueMs < next.dueMs)) next = { dueMs, ruleId: rule.id }
  }
  return next
}

function expiryMs({ expiration }: LifecycleRule, modifiedMs: number, dayMs: number): number | undefined {
  if (expiration?.dateMs !== undefined) return expiration.dateMs
  return expiration?.days === undefined ? undefined : dueAfter(modifiedMs, expiration.days, dayMs)
}

/** AWS rounds up to the next midnight UTC; a day that was shortened for a test has none. */
function dueAfter(fromMs: number, days: number, dayMs: number): number {
  const dueMs = fromMs + days * dayMs
  return dayMs === realDayMs ? Math.ceil(dueMs / realDayMs) * realDayMs : dueMs
}

function matchesVersion(filter: LifecycleFilter, subject: LifecycleSubject): boolean {
  if (subject.kind === 'version') return matches(filter, subject)
  return subject.key.startsWith(filter.prefix ?? '') && !filtersVersions(filter)
}

function filtersVersions({ tags, bytesAbove, bytesBelow }: LifecycleFilter): boolean {
  return tags !== undefined || bytesAbove !== undefined || bytesBelow !== undefined
}

function matches(
  filter: LifecycleFilter,
  version: Pick<LifecycleSubject, 'key' | 'bytes' | 'tags'>,
): boolean {
  const { prefix = '', tags = {}, bytesAbove, bytesBelow } = filter
  return (
    version.key.startsWith(prefix) &&
    Object.entries(tags).every(
      ([name, value]) => Object.hasOwn(version.tags, name) && version.tags[name] === value,
    ) &&
    (bytesAbove === undefined || version.bytes > bytesAbove) &&
    (bytesBelow === undefined || version.bytes < bytesBelow)
  )
}
