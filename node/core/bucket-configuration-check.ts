/**
 * What well-formed write rules and configuration documents look like to a state machine.
 *
 * Documents that only gateways read are checked as bounded plain data; those that nodes act upon (write rules,
 * lifecycle) field by field, so that no faulty gateway can stop a replica or a worker. S3's own rules about the
 * documents are the gateway's.
 */
import { dictionary, either, integer, list, oneOf, plain, record, type Shape, text } from './shape.ts'

const mode = oneOf('GOVERNANCE', 'COMPLIANCE')
const days = integer(1, 36_500)
const time = integer(0, 8.64e15)

/** Bounds, each with its reason. */
const limits = {
  /** AWS: rules of one lifecycle configuration. */
  lifecycleRulesMax: 1000,
  /** AWS: 255 characters of a rule's id, in UTF-8. */
  ruleIdBytesMax: 1024,
  keyBytesMax: 1024,
  /** AWS: tags of a bucket. */
  tagsMax: 50,
  /** AWS: 256 characters of a tag's value, in UTF-8. */
  tagBytesMax: 1024,
  /** Deeper than any document of S3. */
  depthMax: 12,
  /** Values of one document, all levels together: 1,000 rules with a score of fields. */
  valuesMax: 50_000,
  textBytesMax: 64 * 1024,
} as const

const defaultRetention = record({ mode }, { days, years: integer(1, 100) })
const objectLock = record({}, { defaultRetention })

/** `WriteRules`. */
export const writeRulesShape: Shape = record(
  { revision: integer(0), versioning: oneOf('Off', 'Enabled', 'Suspended') },
  { objectLock },
)

/** `WriteRulesChange`. */
export const writeRulesChange: Shape = record({}, { versioning: oneOf('Enabled', 'Suspended'), objectLock })

const tag = text(limits.tagBytesMax)
/** `Tags`. */
export const tagsShape: Shape = dictionary(tag, { max: limits.tagsMax })

const lifecycleRule = record(
  {
    id: text(limits.ruleIdBytesMax),
    enabled: oneOf(true, false),
    filter: record(
      {},
      {
        prefix: text(limits.keyBytesMax),
        tags: tagsShape,
        bytesAbove: integer(0),
        bytesBelow: integer(0),
      },
    ),
  },
  {
    filterForm: oneOf('prefix', 'and'),
    expiration: record({}, { days: integer(0), dateMs: time, expiredObjectDeleteMarker: oneOf(true, false) }),
    noncurrentExpiration: record({ days: integer(0) }, { newerVersions: integer(0) }),
    abortUploadsAfterDays: integer(0),
  },
)

const document = plain(limits)
const removed: Shape = (value) => (value === null ? undefined : 'is not null')

/** `BucketConfiguration` and `ConfigurationChanges`: documents that this version does not know pass as plain data. */
export const configurationShape: Shape = (value) =>
  record({}, { lifecycle: either(removed, list(lifecycleRule, { max: limits.lifecycleRulesMax })) })(value) ??
  dictionary(document, { max: 100 })(value)

/** `Acl`. */
export const aclShape: Shape = record({
  grants: list(
    record({
      grantee: record(
        { kind: oneOf('user', 'all-users', 'authenticated-users', 'log-delivery') },
        { id: text(128) },
      ),
      permission: oneOf('FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'),
    }),
    // AWS: grants of one list.
    { max: 100 },
  ),
})

/** `Retention`. */
export const retentionShape: Shape = record({ mode, untilMs: time })
