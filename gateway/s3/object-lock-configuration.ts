/**
 * The object lock document of a bucket: that it is on, and the retention that new versions get. Holding retentions is
 * the catalog's business.
 * Source: AWS, "ObjectLockConfiguration" and "DefaultRetention", Amazon S3 API Reference.
 */
import type { DefaultRetention } from '../../node/core/bucket-configuration.ts'
import { S3Error } from './errors.ts'
import {
  checkChildren,
  child,
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

/** AWS: the longest default retention. */
const periodMax = { days: 36_500, years: 100 } as const

/** The default retention; undefined: none. Throws MalformedXML, InvalidRetentionPeriod. */
export function decodeObjectLockConfiguration(root: XmlNode): DefaultRetention | undefined {
  checkChildren(root, ['ObjectLockEnabled', 'Rule'])
  word(requiredText(root, 'ObjectLockEnabled'), ['Enabled'])
  const rule = child(root, 'Rule')
  if (rule === undefined) return undefined
  checkChildren(rule, ['DefaultRetention'])
  const retention = child(rule, 'DefaultRetention')
  if (retention === undefined) throw malformed('a rule without a retention')
  checkChildren(retention, ['Mode', 'Days', 'Years'])
  const mode = word(requiredText(retention, 'Mode'), ['GOVERNANCE', 'COMPLIANCE'])
  const days = childText(retention, 'Days')
  const years = childText(retention, 'Years')
  if ((days === undefined) === (years === undefined)) throw malformed('neither or both of Days and Years')
  return {
    mode,
    ...(days === undefined ? {} : { days: periodOf('days', days) }),
    ...(years === undefined ? {} : { years: periodOf('years', years) }),
  }
}

function periodOf(unit: 'days' | 'years', text: string): number {
  const count = integerText(text)
  if (count < 1) {
    throw new S3Error('InvalidRetentionPeriod', 'Default retention period must be a positive integer value.')
  }
  if (count > periodMax[unit]) {
    throw new S3Error(
      'InvalidRetentionPeriod',
      `Default retention period must not be longer than ${periodMax[unit]} ${unit}.`,
    )
  }
  return count
}

/** The answer of GetObjectLockConfiguration for a bucket that has object lock. */
export function encodeObjectLockConfiguration(retention: DefaultRetention | undefined): string {
  return document(
    'ObjectLockConfiguration',
    element('ObjectLockEnabled', 'Enabled'),
    retention === undefined ? '' : wrap('Rule', encodeRetention(retention)),
  )
}

function encodeRetention({ mode, days, years }: DefaultRetention): string {
  return wrap('DefaultRetention', element('Mode', mode), element('Days', days), element('Years', years))
}
