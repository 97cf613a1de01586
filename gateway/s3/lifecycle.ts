/**
 * The lifecycle document: reading it as strictly as AWS does, and writing it back.
 *
 * Invariant: what leaves here can be acted on: every rule has an id of its own and at least one action, every number is
 * in its range, every date is a midnight. Acting on it is the lifecycle worker's.
 * There is one storage class: a rule that would move objects to another is refused after it was checked, never dropped.
 * Source: AWS, "Lifecycle configuration elements"; "LifecycleRule" and "PutBucketLifecycleConfiguration", API Reference.
 */
import type { LifecycleFilter, LifecycleRule } from '../../node/core/bucket-configuration.ts'
import { isoDate } from './dates.ts'
import { invalidArgument, S3Error } from './errors.ts'
import { checkTags, decodeTag, encodeTags } from './tagging.ts'
import {
  booleanText,
  checkChildren,
  child,
  childrenOf,
  childText,
  document,
  element,
  integerText,
  malformed,
  requiredText,
  word,
  wrap,
  type XmlNode,
} from './xml.ts'

/** AWS: rules of one document, characters of an id, noncurrent versions that can be kept. */
const rulesMax = 1000
const idCharsMax = 255
const newerNoncurrentMax = 100
const prefixBytesMax = 1024
const dayMs = 86_400_000

/** `makeId` names rules that come without an id. Throws MalformedXML, InvalidArgument, InvalidRequest, NotImplemented. */
export function decodeLifecycle(root: XmlNode, makeId: () => string): readonly LifecycleRule[] {
  checkChildren(root, ['Rule'])
  const nodes = childrenOf(root, 'Rule')
  if (nodes.length === 0 || nodes.length > rulesMax) throw malformed('no rules, or too many')
  const rules = nodes.map((node) => decodeRule(node, makeId))
  checkTogether(rules)
  refuseTransitions(nodes)
  return rules
}

function checkTogether(rules: readonly LifecycleRule[]): void {
  const ids = new Set(rules.map((rule) => rule.id))
  if (ids.size < rules.length) {
    throw new S3Error('InvalidArgument', 'Rule ID must be unique. Found same ID for more than one rule')
  }
  const legacy = rules.filter((rule) => rule.filterForm === 'prefix').length
  if (legacy > 0 && legacy < rules.length) {
    throw invalidRequest(
      'Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.',
    )
  }
}

function invalidRequest(message: string): S3Error {
  return new S3Error('InvalidRequest', message)
}

const ruleChildren = [
  'AbortIncompleteMultipartUpload',
  'Expiration',
  'Filter',
  'ID',
  'NoncurrentVersionExpiration',
  'NoncurrentVersionTransition',
  'Prefix',
  'Status',
  'Transition',
]

function decodeRule(node: XmlNode, makeId: () => string): LifecycleRule {
  checkChildren(node, ruleChildren)
  const prefix = childText(node, 'Prefix')
  const filter = child(node, 'Filter')
  if ((prefix === undefined) === (filter === undefined))
    throw malformed('neither or both of Filter and Prefix')
  const expiration = child(node, 'Expiration')
  const noncurrent = child(node, 'NoncurrentVersionExpiration')
  const abort = child(node, 'AbortIncompleteMultipartUpload')
  const rule: LifecycleRule = {
    id: decodeId(childText(node, 'ID')) ?? makeId(),
    enabled: word(requiredText(node, 'Status'), ['Enabled', 'Disabled']) === 'Enabled',
    filter: filter === undefined ? withPrefix(prefix) : decodeFilter(filter),
    ...formOf(filter),
    ...(expiration === undefined ? {} : { expiration: decodeExpiration(expiration) }),
    ...(noncurrent === undefined ? {} : { noncurrentExpiration: decodeNoncurrent(noncurrent) }),
    ...(abort === undefined ? {} : { abortUploadsAfterDays: decodeAbort(abort) }),
  }
  const transitions = decodeTransitions(node)
  if (expiration === undefined && noncurrent === undefined && abort === undefined && transitions === 0) {
    throw invalidRequest('At least one action needs to be specified in a rule')
  }
  checkCombination(rule)
  return rule
}

function decodeId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if ([...text].length <= idCharsMax) return text
  throw new S3Error('InvalidArgument', `ID length should not exceed allowed limit of ${idCharsMax}`)
}

function formOf(filter: XmlNode | undefined): Pick<LifecycleRule, 'filterForm'> {
  if (filter === undefined) return { filterForm: 'prefix' }
  return filter.children.has('And') ? { filterForm: 'and' } : {}
}

/** Actions that do not look at objects' tags or sizes cannot be bound to them. */
function checkCombination(rule: LifecycleRule): void {
  const { filter } = rule
  const byTags = filter.tags !== undefined
  const bySize = filter.bytesAbove !== undefined || filter.bytesBelow !== undefined
  const clash = (action: string, what: string) =>
    invalidRequest(`${action} cannot be specified with ${what}.`)
  if (rule.abortUploadsAfterDays !== undefined) {
    if (byTags) throw clash('AbortIncompleteMultipartUpload', 'Tags')
    if (bySize) throw clash('AbortIncompleteMultipartUpload', 'Object Size')
  }
  if (rule.expiration?.expiredObjectDeleteMarker === true) {
    if (byTags) throw clash('ExpiredObjectDeleteMarker', 'Tags')
    if (bySize) throw clash('ExpiredObjectDeleteMarker', 'Object Size')
  }
  if (rule.filterForm === 'prefix' && rule.noncurrentExpiration?.newerVersions !== undefined) {
    throw invalidRequest('NewerNoncurrentVersions element can only be used in Lifecycle V2.')
  }
}

function withPrefix(prefix: string | undefined): LifecycleFilter {
  if (prefix === undefined) return {}
  if (Buffer.byteLength(prefix) > prefixBytesMax) {
    throw invalidRequest(`The maximum size of a prefix is ${prefixBytesMax}.`)
  }
  return { prefix }
}

/**
 * AWS takes one predicate, or several in `And`. Ceph takes several side by side as well, and its suite asks for that:
 * so do we, since all of them must hold and a rule that says more deletes less. They are told back inside `And`.
 */
function decodeFilter(node: XmlNode): LifecycleFilter {
  checkChildren(node, ['Prefix', 'Tag', 'And', 'ObjectSizeGreaterThan', 'ObjectSizeLessThan'])
  const and = child(node, 'And')
  if (and !== undefined) checkChildren(and, ['Prefix', 'Tag', 'ObjectSizeGreaterThan', 'ObjectSizeLessThan'])
  const inside = and === undefined ? undefined : decodePredicates(and)
  if (inside !== undefined && countPredicates(inside) < 2) throw malformed('And of less than two')
  const outside = decodePredicates(node)
  return checkSizes(inside === undefined ? outside : conjunction(outside, inside))
}

function decodePredicates(node: XmlNode): LifecycleFilter {
  const tags = childrenOf(node, 'Tag').map(decodeTag)
  const greater = childText(node, 'ObjectSizeGreaterThan')
  const less = childText(node, 'ObjectSizeLessThan')
  return {
    ...withPrefix(childText(node, 'Prefix')),
    ...(tags.length === 0 ? {} : { tags: checkTags(tags, 'object') }),
    ...(greater === undefined ? {} : { bytesAbove: atLeast('ObjectSizeGreaterThan', greater, 0) }),
    ...(less === undefined ? {} : { bytesBelow: atLeast('ObjectSizeLessThan', less, 1) }),
  }
}

function countPredicates(filter: LifecycleFilter): number {
  const { prefix, tags, bytesAbove, bytesBelow } = filter
  const single = [prefix, bytesAbove, bytesBelow].filter((value) => value !== undefined)
  return single.length + Object.keys(tags ?? {}).length
}

/** Both must hold. Prefixes that exclude each other, and a tag with two values, would match nothing: refused. */
function conjunction(a: LifecycleFilter, b: LifecycleFilter): LifecycleFilter {
  const [short, long = short] = [a.prefix, b.prefix].filter((each) => each !== undefined).sort(byLength)
  if (long?.startsWith(short ?? '') === false) throw malformed('two prefixes that exclude each other')
  const tags = [a.tags, b.tags].flatMap((each) => Object.entries(each ?? {}))
  const above = [a.bytesAbove, b.bytesAbove].filter((each) => each !== undefined)
  const below = [a.bytesBelow, b.bytesBelow].filter((each) => each !== undefined)
  return {
    ...(long === undefined ? {} : { prefix: long }),
    ...(tags.length === 0
      ? {}
      : {
          tags: checkTags(
            tags.map(([key, value]) => ({ key, value })),
            'object',
          ),
        }),
    ...(above.length === 0 ? {} : { bytesAbove: Math.max(...above) }),
    ...(below.length === 0 ? {} : { bytesBelow: Math.min(...below) }),
  }
}

function byLength(a: string, b: string): number {
  return a.length - b.length
}

function checkSizes(filter: LifecycleFilter): LifecycleFilter {
  const { bytesAbove, bytesBelow } = filter
  if (bytesAbove !== undefined && bytesBelow !== undefined && bytesAbove >= bytesBelow) {
    throw invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
  }
  return filter
}

function atLeast(name: string, text: string, min: number): number {
  const value = integerText(text)
  if (value >= min && Number.isSafeInteger(value)) return value
  throw invalidArgument(name, text, `'${name}' must be an integer of at least ${min}`)
}

/** A count of days, within what a date can be. */
function positiveDays(node: XmlNode, name: string, action: string): number {
  const text = requiredText(node, name)
  const days = integerText(text)
  if (days > 0 && days <= 2_147_483_647) return days
  throw new S3Error('InvalidArgument', `'${name}' for ${action} action must be a positive integer`, {
    details: { ArgumentName: name, ArgumentValue: text },
  })
}

function decodeExpiration(node: XmlNode): NonNullable<LifecycleRule['expiration']> {
  checkChildren(node, ['Days', 'Date', 'ExpiredObjectDeleteMarker'])
  const marker = childText(node, 'ExpiredObjectDeleteMarker')
  const date = childText(node, 'Date')
  const said = ['Days', 'Date'].filter((name) => node.children.has(name)).length
  const expiredObjectDeleteMarker = marker === undefined ? undefined : booleanText(marker)
  // A marker that is switched off says nothing, and may stand beside the others.
  const marked = expiredObjectDeleteMarker === true || (marker !== undefined && said === 0)
  if (said + (marked ? 1 : 0) !== 1) throw malformed('an expiration says one thing')
  if (marked) return { expiredObjectDeleteMarker: expiredObjectDeleteMarker === true }
  if (date !== undefined) return { dateMs: midnight(date) }
  return { days: positiveDays(node, 'Days', 'Expiration') }
}

const dateShape = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/

function midnight(text: string): number {
  const trimmed = text.trim()
  const zoned = /T.*(Z|[+-]\d\d:\d\d)$/.test(trimmed) || !trimmed.includes('T') ? trimmed : `${trimmed}Z`
  const ms = dateShape.test(trimmed) ? Date.parse(zoned) : Number.NaN
  if (Number.isNaN(ms)) throw malformed(`${trimmed} is no date`)
  if (ms % dayMs !== 0) throw invalidArgument('Date', trimmed, "'Date' must be at midnight GMT")
  return ms
}

function decodeNoncurrent(node: XmlNode): NonNullable<LifecycleRule['noncurrentExpiration']> {
  checkChildren(node, ['NoncurrentDays', 'NewerNoncurrentVersions'])
  const action = 'NoncurrentVersionExpiration'
  const days = positiveDays(node, 'NoncurrentDays', action)
  const newer = newerVersions(node, action)
  return { days, ...(newer === undefined ? {} : { newerVersions: newer }) }
}

function newerVersions(node: XmlNode, action: string): number | undefined {
  const text = childText(node, 'NewerNoncurrentVersions')
  if (text === undefined) return undefined
  const newer = integerText(text)
  if (newer >= 1 && newer <= newerNoncurrentMax) return newer
  throw invalidArgument(
    'NewerNoncurrentVersions',
    text,
    `'NewerNoncurrentVersions' for ${action} action must be between 1 and ${newerNoncurrentMax}`,
  )
}

function decodeAbort(node: XmlNode): number {
  checkChildren(node, ['DaysAfterInitiation'])
  return positiveDays(node, 'DaysAfterInitiation', 'AbortIncompleteMultipartUpload')
}

const coldClasses = [
  'GLACIER',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'DEEP_ARCHIVE',
  'GLACIER_IR',
]

/** Checks transitions as AWS does; returns how many there are. */
function decodeTransitions(rule: XmlNode): number {
  const transitions = childrenOf(rule, 'Transition')
  for (const node of transitions) {
    checkChildren(node, ['Days', 'Date', 'StorageClass'])
    word(requiredText(node, 'StorageClass'), coldClasses)
    const date = childText(node, 'Date')
    if ((date === undefined) !== node.children.has('Days')) throw malformed('a transition needs one time')
    if (date === undefined) atLeast('Days', requiredText(node, 'Days'), 0)
    else midnight(date)
  }
  const noncurrent = childrenOf(rule, 'NoncurrentVersionTransition')
  for (const node of noncurrent) {
    checkChildren(node, ['NoncurrentDays', 'NewerNoncurrentVersions', 'StorageClass'])
    word(requiredText(node, 'StorageClass'), coldClasses)
    atLeast('NoncurrentDays', requiredText(node, 'NoncurrentDays'), 0)
    newerVersions(node, 'NoncurrentVersionTransition')
  }
  return transitions.length + noncurrent.length
}

/** There is nowhere to move objects to; a rule that silently did nothing would be a lie. */
function refuseTransitions(rules: readonly XmlNode[]): void {
  const any = rules.some(
    (rule) => rule.children.has('Transition') || rule.children.has('NoncurrentVersionTransition'),
  )
  if (any)
    throw new S3Error('NotImplemented', 'STANDARD is the only storage class: there are no transitions.')
}

/** The answer of GetBucketLifecycleConfiguration. */
export function encodeLifecycle(rules: readonly LifecycleRule[]): string {
  return document('LifecycleConfiguration', ...rules.map(encodeRule))
}

function encodeRule(rule: LifecycleRule): string {
  const { expiration, noncurrentExpiration: noncurrent, abortUploadsAfterDays } = rule
  return wrap(
    'Rule',
    element('ID', rule.id),
    rule.filterForm === 'prefix' ? element('Prefix', rule.filter.prefix ?? '') : encodeFilter(rule),
    element('Status', rule.enabled ? 'Enabled' : 'Disabled'),
    expiration === undefined ? '' : encodeExpiration(expiration),
    noncurrent === undefined
      ? ''
      : wrap(
          'NoncurrentVersionExpiration',
          element('NoncurrentDays', noncurrent.days),
          element('NewerNoncurrentVersions', noncurrent.newerVersions),
        ),
    abortUploadsAfterDays === undefined
      ? ''
      : wrap('AbortIncompleteMultipartUpload', element('DaysAfterInitiation', abortUploadsAfterDays)),
  )
}

function encodeExpiration({
  days,
  dateMs,
  expiredObjectDeleteMarker,
}: NonNullable<LifecycleRule['expiration']>): string {
  return wrap(
    'Expiration',
    element('Days', days),
    element('Date', dateMs === undefined ? undefined : isoDate(dateMs)),
    element('ExpiredObjectDeleteMarker', expiredObjectDeleteMarker),
  )
}

function encodeFilter({ filter, filterForm }: LifecycleRule): string {
  const markup = [
    element('Prefix', filter.prefix),
    encodeTags(filter.tags ?? {}),
    element('ObjectSizeGreaterThan', filter.bytesAbove),
    element('ObjectSizeLessThan', filter.bytesBelow),
  ]
  const and = filterForm === 'and' || countPredicates(filter) > 1
  return wrap('Filter', and ? wrap('And', ...markup) : markup.join(''))
}
