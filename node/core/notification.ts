/**
 * Event notifications: which rules of a bucket want to hear of what happened to a key, and what is kept for them until
 * they were told. Pure.
 *
 * A write takes along a notice of what it may turn out to be; the catalog group that applies it keeps the event beside
 * the version, in the same command. So an event is there exactly when the write is, however many gateways die.
 * Source: AWS, "Supported event types", "Event message structure", "Configuring event notifications using object key
 * name filtering".
 */
import type { NotificationRule } from './bucket-configuration.ts'
import type { Bucket } from './registry-types.ts'

/** Events that we raise, without AWS's prefix `s3:`; a rule may also name a group, `ObjectCreated:*`. */
export const eventNames = [
  'ObjectCreated:Put',
  'ObjectCreated:Post',
  'ObjectCreated:Copy',
  'ObjectCreated:CompleteMultipartUpload',
  'ObjectRemoved:Delete',
  'ObjectRemoved:DeleteMarkerCreated',
  'ObjectTagging:Put',
  'ObjectTagging:Delete',
  'ObjectAcl:Put',
  'LifecycleExpiration:Delete',
  'LifecycleExpiration:DeleteMarkerCreated',
] as const

export type EventName = (typeof eventNames)[number]

/** Who is to be told, under which rule of the bucket. */
export interface EventTarget {
  readonly ruleId: string
  /** ARN as the rule names it. */
  readonly target: string
}

export interface NoticeEvent {
  readonly name: EventName
  readonly targets: readonly EventTarget[]
}

/** What a command is to leave behind, by what it turns out to do. Absent: nobody wants to hear of that. */
export interface Notice {
  readonly bucketName: string
  /** Of the bucket. */
  readonly ownerId: string
  readonly principalId: string
  readonly sourceIp: string
  readonly requestId: string
  /** A version became current, or its attributes changed. */
  readonly done?: NoticeEvent
  /** A version was removed for good. */
  readonly removed?: NoticeEvent
  /** A delete marker became current. */
  readonly marked?: NoticeEvent
}

/** What the event bus is called among the targets. */
export const eventBridgeTarget = 'eventbridge'

/** What a command may turn out to be, by the field of its notice. */
export type PossibleEvents = { readonly [What in 'done' | 'removed' | 'marked']?: EventName }

/** The notice of a command on `key`; undefined: nobody wants to hear of anything that it may be. */
export function noticeOf(
  { name, ownerId, configuration = {} }: Pick<Bucket, 'name' | 'ownerId' | 'configuration'>,
  key: string,
  about: PossibleEvents & Pick<Notice, 'principalId' | 'sourceIp' | 'requestId'>,
): Notice | undefined {
  const { notifications: rules = [], eventBridge = false } = configuration
  if (rules.length === 0 && !eventBridge) return undefined
  const { principalId, sourceIp, requestId } = about
  const events: { -readonly [What in keyof PossibleEvents]?: NoticeEvent } = {}
  for (const what of ['done', 'removed', 'marked'] as const) {
    const event = about[what]
    const noticed = event && listenersTo(event, key, { rules, eventBridge })
    if (noticed !== undefined) events[what] = noticed
  }
  if (Object.keys(events).length === 0) return undefined
  return { bucketName: name, ownerId, principalId, sourceIp, requestId, ...events }
}

/** Rules that match, and the event bus, which hears of everything. */
function listenersTo(
  name: EventName,
  key: string,
  of: { readonly rules: readonly NotificationRule[]; readonly eventBridge: boolean },
): NoticeEvent | undefined {
  const targets = of.rules
    .filter((rule) => wants(rule, name) && matchesKey(rule, key))
    .map(({ id, target }) => ({ ruleId: id, target }))
  if (of.eventBridge) targets.push({ ruleId: '', target: eventBridgeTarget })
  return targets.length === 0 ? undefined : { name, targets }
}

function wants({ events }: NotificationRule, name: EventName): boolean {
  return events.some((pattern) => matchesEvent(pattern, `s3:${name}`))
}

/** Whether a rule that names `pattern` is about `event`, which may be a pattern itself. Both with AWS's prefix. */
export function matchesEvent(pattern: string, event: string): boolean {
  return pattern === event || (pattern.endsWith('*') && event.startsWith(pattern.slice(0, -1)))
}

function matchesKey({ filter }: NotificationRule, key: string): boolean {
  return key.startsWith(filter?.prefix ?? '') && key.endsWith(filter?.suffix ?? '')
}
