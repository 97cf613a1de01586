/**
 * The notification document of a bucket: which events go to which targets. Sending them is the events' business, and
 * so is which targets there are.
 *
 * Invariant: rules that leave here have ids of their own and known event names, and no event matches two of them.
 * Source: AWS, "NotificationConfiguration", Amazon S3 API Reference; "Supported event types for SQS, SNS, and Lambda".
 */
import type { NotificationRule } from '../../node/core/bucket-configuration.ts'
import { matchesEvent } from '../../node/core/notification.ts'
import { S3Error } from './errors.ts'
import {
  checkChildren,
  child,
  childrenOf,
  childText,
  document,
  element,
  malformed,
  requiredText,
  wrap,
  type XmlNode,
} from './xml.ts'

export interface Notifications {
  readonly rules: readonly NotificationRule[]
  /** All events go to the event bus, too. */
  readonly eventBridge: boolean
}

/** AWS: rules of one document. */
const rulesMax = 100
const idCharsMax = 255
const filterBytesMax = 1024
const arnCharsMax = 1024

/** `*` stands for all events of the type. */
const eventTypes: Readonly<Record<string, readonly string[]>> = {
  ObjectCreated: ['Put', 'Post', 'Copy', 'CompleteMultipartUpload'],
  ObjectRemoved: ['Delete', 'DeleteMarkerCreated'],
  ObjectRestore: ['Post', 'Completed', 'Delete'],
  ObjectTagging: ['Put', 'Delete'],
  LifecycleExpiration: ['Delete', 'DeleteMarkerCreated'],
  Replication: [
    'OperationFailedReplication',
    'OperationMissedThreshold',
    'OperationReplicatedAfterThreshold',
    'OperationNotTracked',
  ],
}
const singleEvents = [
  's3:ReducedRedundancyLostObject',
  's3:LifecycleTransition',
  's3:IntelligentTiering',
  's3:ObjectAcl:Put',
]
const knownEvents = new Set([
  ...singleEvents,
  ...Object.entries(eventTypes).flatMap(([type, names]) =>
    ['*', ...names].map((name) => `s3:${type}:${name}`),
  ),
])

/** Element of a rule, element of its target, service that the target's ARN names. */
const kinds = [
  { kind: 'topic', rule: 'TopicConfiguration', target: 'Topic', service: 'sns' },
  { kind: 'queue', rule: 'QueueConfiguration', target: 'Queue', service: 'sqs' },
  { kind: 'function', rule: 'CloudFunctionConfiguration', target: 'CloudFunction', service: 'lambda' },
] as const

/** `makeId` names rules that come without an id. Throws MalformedXML, InvalidArgument. */
export function decodeNotifications(root: XmlNode, makeId: () => string): Notifications {
  checkChildren(root, [...kinds.map(({ rule }) => rule), 'EventBridgeConfiguration'])
  const rules = kinds.flatMap((kind) =>
    childrenOf(root, kind.rule).map((node) => decodeRule(node, kind, makeId)),
  )
  if (rules.length > rulesMax) throw malformed('too many rules')
  if (new Set(rules.map((rule) => rule.id)).size < rules.length) {
    throw wrong('Same ID used for multiple configurations. IDs must be unique')
  }
  checkOverlaps(rules)
  return { rules, eventBridge: child(root, 'EventBridgeConfiguration') !== undefined }
}

function wrong(message: string): S3Error {
  return new S3Error('InvalidArgument', message)
}

function decodeRule(node: XmlNode, kind: (typeof kinds)[number], makeId: () => string): NotificationRule {
  checkChildren(node, ['Id', 'Event', 'Filter', kind.target])
  const id = childText(node, 'Id')
  if (id !== undefined && id.length > idCharsMax) throw wrong('The ID is longer than 255 characters')
  const target = requiredText(node, kind.target).trim()
  const shape = new RegExp(`^arn:[a-z0-9-]+:${kind.service}:[a-z0-9-]*:[^:\\s]*:[^\\s]+$`)
  if (target.length > arnCharsMax || !shape.test(target)) throw wrong('The ARN is not well formed')
  const filter = child(node, 'Filter')
  return {
    id: id === undefined || id === '' ? makeId() : id,
    kind: kind.kind,
    target,
    events: decodeEvents(node),
    ...(filter === undefined ? {} : decodeFilter(filter)),
  }
}

function decodeEvents(node: XmlNode): readonly string[] {
  const events = childrenOf(node, 'Event').map((each) => each.text.trim())
  if (events.length === 0) throw malformed('a rule without events')
  const unknown = events.find((event) => !knownEvents.has(event))
  if (unknown !== undefined) throw wrong(`The event '${unknown}' is not supported for notifications`)
  return [...new Set(events)]
}

function decodeFilter(node: XmlNode): Pick<NotificationRule, 'filter'> {
  checkChildren(node, ['S3Key'])
  const key = child(node, 'S3Key')
  if (key === undefined) return {}
  checkChildren(key, ['FilterRule'])
  const filter: { prefix?: string; suffix?: string } = {}
  for (const rule of childrenOf(key, 'FilterRule')) {
    checkChildren(rule, ['Name', 'Value'])
    const name = requiredText(rule, 'Name').trim().toLowerCase()
    if (name !== 'prefix' && name !== 'suffix') {
      throw wrong('filter rule name must be either prefix or suffix')
    }
    if (filter[name] !== undefined) throw wrong(`Cannot specify more than one ${name} rule in a filter.`)
    const value = childText(rule, 'Value') ?? ''
    if (Buffer.byteLength(value) > filterBytesMax)
      throw wrong('Size of filter rule value cannot exceed 1024 bytes')
    filter[name] = value
  }
  return Object.keys(filter).length === 0 ? {} : { filter }
}

function checkOverlaps(rules: readonly NotificationRule[]): void {
  rules.forEach((rule, index) => {
    const clash = rules.slice(index + 1).some((other) => sharesEvents(rule, other) && sharesKeys(rule, other))
    if (clash) {
      throw wrong(
        'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
      )
    }
  })
}

function sharesEvents(a: NotificationRule, b: NotificationRule): boolean {
  return a.events.some((one) =>
    b.events.some((other) => matchesEvent(one, other) || matchesEvent(other, one)),
  )
}

function sharesKeys(a: NotificationRule, b: NotificationRule): boolean {
  const [prefix, otherPrefix] = [a.filter?.prefix ?? '', b.filter?.prefix ?? '']
  const [suffix, otherSuffix] = [a.filter?.suffix ?? '', b.filter?.suffix ?? '']
  return (
    (prefix.startsWith(otherPrefix) || otherPrefix.startsWith(prefix)) &&
    (suffix.endsWith(otherSuffix) || otherSuffix.endsWith(suffix))
  )
}

/** The answer of GetBucketNotificationConfiguration. */
export function encodeNotifications({ rules, eventBridge }: Notifications): string {
  return document(
    'NotificationConfiguration',
    ...rules.map(encodeRule),
    eventBridge ? wrap('EventBridgeConfiguration') : '',
  )
}

function encodeRule({ id, kind, target, events, filter }: NotificationRule): string {
  const names = kinds.find((each) => each.kind === kind) ?? kinds[0]
  return wrap(
    names.rule,
    element('Id', id),
    element(names.target, target),
    ...events.map((event) => element('Event', event)),
    filter === undefined
      ? ''
      : wrap('Filter', wrap('S3Key', ...Object.entries(filter).map(encodeFilterRule))),
  )
}

function encodeFilterRule([name, value]: readonly [string, string]): string {
  return wrap('FilterRule', element('Name', name === 'prefix' ? 'Prefix' : 'Suffix'), element('Value', value))
}
