/**
 * The logging document of a bucket: where lines about its requests are delivered. Writing them is the access log's.
 * Source: AWS, "BucketLoggingStatus" and "LoggingEnabled", Amazon S3 API Reference.
 */
import type { Logging } from '../../node/core/bucket-configuration.ts'
import { S3Error } from './errors.ts'
import {
  checkChildren,
  child,
  document,
  element,
  malformed,
  requiredText,
  word,
  wrap,
  type XmlNode,
} from './xml.ts'

/** A key of a log object begins with it, and leaves room for the rest. */
const prefixBytesMax = 800

/** Undefined: logging is switched off. Throws MalformedXML; NotImplemented for grants on log objects. */
export function decodeLogging(root: XmlNode): Logging | undefined {
  checkChildren(root, ['LoggingEnabled'])
  const enabled = child(root, 'LoggingEnabled')
  if (enabled === undefined) return undefined
  checkChildren(enabled, ['TargetBucket', 'TargetGrants', 'TargetPrefix', 'TargetObjectKeyFormat'])
  if ((child(enabled, 'TargetGrants')?.children.size ?? 0) > 0) {
    throw new S3Error('NotImplemented', 'Log objects belong to the owner of the target bucket alone.')
  }
  const targetPrefix = requiredText(enabled, 'TargetPrefix')
  if (Buffer.byteLength(targetPrefix) > prefixBytesMax) throw malformed('a prefix longer than keys allow')
  const format = child(enabled, 'TargetObjectKeyFormat')
  return {
    targetBucket: requiredText(enabled, 'TargetBucket'),
    targetPrefix,
    ...(format === undefined ? {} : { keyFormat: decodeKeyFormat(format) }),
  }
}

function decodeKeyFormat(node: XmlNode): NonNullable<Logging['keyFormat']> {
  checkChildren(node, ['SimplePrefix', 'PartitionedPrefix'])
  const partitioned = child(node, 'PartitionedPrefix')
  const simple = child(node, 'SimplePrefix')
  if ((partitioned === undefined) === (simple === undefined)) throw malformed('one key format is needed')
  if (partitioned === undefined) return 'simple'
  checkChildren(partitioned, ['PartitionDateSource'])
  const source = requiredText(partitioned, 'PartitionDateSource')
  return { partitionedBy: word(source, ['EventTime', 'DeliveryTime']) }
}

/** The answer of GetBucketLogging. */
export function encodeLogging(logging: Logging | undefined): string {
  if (logging === undefined) return document('BucketLoggingStatus')
  const { targetBucket, targetPrefix, keyFormat } = logging
  return document(
    'BucketLoggingStatus',
    wrap(
      'LoggingEnabled',
      element('TargetBucket', targetBucket),
      element('TargetPrefix', targetPrefix),
      keyFormat === undefined ? '' : wrap('TargetObjectKeyFormat', encodeKeyFormat(keyFormat)),
    ),
  )
}

function encodeKeyFormat(format: NonNullable<Logging['keyFormat']>): string {
  if (format === 'simple') return wrap('SimplePrefix')
  return wrap('PartitionedPrefix', element('PartitionDateSource', format.partitionedBy))
}
