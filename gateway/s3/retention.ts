/**
 * Object Lock of one version at the S3 border: retention and legal hold as headers and as documents, both ways.
 *
 * Invariant: what leaves here is complete: a mode and a time, or neither. Whether a version may be changed or removed is
 * decided by the catalog alone; the bucket's default is applied there, too.
 * Source: AWS, "PutObject", "PutObjectRetention", "PutObjectLegalHold" and "Locking objects with Object Lock".
 */
import type { Retention, RetentionMode } from '../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { remainingDays } from '../auth/request-keys.ts'
import { isoDate } from './dates.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import {
  checkChildren,
  childText,
  document,
  element,
  malformed,
  requiredText,
  word,
  type XmlNode,
} from './xml.ts'

/** What a version is protected by. */
export interface Protection {
  readonly retention?: Retention
  readonly legalHold?: boolean
}

export const lockHeaders = {
  mode: 'x-amz-object-lock-mode',
  until: 'x-amz-object-lock-retain-until-date',
  legalHold: 'x-amz-object-lock-legal-hold',
  bypass: 'x-amz-bypass-governance-retention',
} as const

const modes: readonly RetentionMode[] = ['GOVERNANCE', 'COMPLIANCE']

/** ISO 8601 with at least a date and a time; a time without a zone is UTC, as AWS reads it. */
const isoShape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/

function parseIsoDate(text: string): number | undefined {
  const match = isoShape.exec(text)
  if (match === null) return undefined
  const ms = Date.parse(match[3] === undefined ? `${text}Z` : text)
  return Number.isNaN(ms) ? undefined : ms
}

/** The lock headers of PutObject, CopyObject and CreateMultipartUpload. Throws InvalidArgument. */
export function decodeProtection(headers: Headers): Protection {
  const retention = decodeRetentionHeaders(headers)
  const hold = headers[lockHeaders.legalHold]
  if (hold !== undefined && hold !== 'ON' && hold !== 'OFF') {
    throw invalidArgument(lockHeaders.legalHold, hold, "Legal Hold must be either of 'ON' or 'OFF'")
  }
  return {
    ...(retention === undefined ? {} : { retention }),
    ...(hold === undefined ? {} : { legalHold: hold === 'ON' }),
  }
}

function decodeRetentionHeaders(headers: Headers): Retention | undefined {
  const named = headers[lockHeaders.mode]
  const text = headers[lockHeaders.until]
  if (named === undefined && text === undefined) return undefined
  if (named === undefined || text === undefined) {
    const [name, value] = named === undefined ? [lockHeaders.until, text] : [lockHeaders.mode, named]
    throw invalidArgument(
      name,
      value ?? '',
      `${lockHeaders.until} and ${lockHeaders.mode} must both be supplied`,
    )
  }
  const mode = modes.find((candidate) => candidate === named)
  if (mode === undefined) throw invalidArgument(lockHeaders.mode, named, 'Unknown wormMode directive.')
  const untilMs = parseIsoDate(text)
  if (untilMs === undefined) {
    throw invalidArgument(
      lockHeaders.until,
      text,
      'The retain until date must be provided in ISO 8601 format',
    )
  }
  return { mode, untilMs }
}

/** Throws InvalidArgument for a retention that has ended already. */
export function requireFuture(retention: Retention | null | undefined, nowMs: number): void {
  if (retention === null || retention === undefined || retention.untilMs > nowMs) return
  throw invalidArgument(
    lockHeaders.until,
    exactDate(retention.untilMs),
    'The retain until date must be in the future!',
  )
}

/**
 * Whether an upload may come as it is: AWS wants a digest of every body that will be under retention, be it by its
 * headers or by the bucket's default. Throws InvalidArgument, InvalidRequest.
 */
export function checkProtectedUpload(
  { retention, legalHold }: Protection,
  upload: { readonly bucket: Bucket; readonly nowMs: number; readonly hasDigest: boolean },
): void {
  const { bucket, nowMs, hasDigest } = upload
  requireFuture(retention, nowMs)
  const preset = bucket.writeRules?.objectLock?.defaultRetention
  if (hasDigest || (retention ?? preset ?? legalHold) === undefined) return
  throw new S3Error(
    'InvalidRequest',
    'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
  )
}

/** Throws InvalidRequest unless Object Lock is on in this bucket. */
export function requireObjectLock(bucket: Bucket): void {
  if (bucket.writeRules?.objectLock !== undefined) return
  throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration')
}

/** Whether the client asks to override GOVERNANCE; whether it may is for authorisation to say. */
export function asksForBypass(headers: Headers): boolean {
  return headers[lockHeaders.bypass]?.trim().toLowerCase() === 'true'
}

/** The Retention document of PutObjectRetention; `null`: an empty one, which takes the retention away. Throws MalformedXML. */
export function decodeRetention(root: XmlNode): Retention | null {
  checkChildren(root, ['Mode', 'RetainUntilDate'])
  if (root.children.size === 0) return null
  const mode = word(requiredText(root, 'Mode').trim(), modes)
  const text = requiredText(root, 'RetainUntilDate').trim()
  const untilMs = parseIsoDate(text)
  if (untilMs === undefined) throw malformed(`${text} is no date`)
  return { mode, untilMs }
}

/** The answer of GetObjectRetention. Throws NoSuchObjectLockConfiguration when there is none. */
export function encodeRetention(retention: Retention | undefined): string {
  if (retention === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
  return document(
    'Retention',
    element('Mode', retention.mode),
    element('RetainUntilDate', exactDate(retention.untilMs)),
  )
}

/** Context keys of policies that a Retention document decides. */
export function retentionKeys(
  retention: Retention | null,
  nowMs: number,
): Readonly<Record<string, readonly string[]>> {
  if (retention === null) return {}
  const until = exactDate(retention.untilMs)
  return {
    's3:object-lock-mode': [retention.mode],
    's3:object-lock-retain-until-date': [until],
    's3:object-lock-remaining-retention-days': remainingDays(until, nowMs) ?? [],
  }
}

/** The LegalHold document of PutObjectLegalHold. Throws MalformedXML. */
export function decodeLegalHold(root: XmlNode): boolean {
  checkChildren(root, ['Status'])
  return word((childText(root, 'Status') ?? '').trim(), ['ON', 'OFF']) === 'ON'
}

/** The answer of GetObjectLegalHold. Throws NoSuchObjectLockConfiguration when none was ever set. */
export function encodeLegalHold(legalHold: boolean | undefined): string {
  if (legalHold === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
  return document('LegalHold', element('Status', legalHold ? 'ON' : 'OFF'))
}

/** Adds what protects a version to the headers of a read. */
export function addProtection(protection: Protection, headers: Record<string, string>): void {
  const { retention, legalHold } = protection
  if (retention !== undefined) {
    headers[lockHeaders.mode] = retention.mode
    headers[lockHeaders.until] = exactDate(retention.untilMs)
  }
  if (legalHold !== undefined) headers[lockHeaders.legalHold] = legalHold ? 'ON' : 'OFF'
}

/** With its fraction of a second: a retention that is shown shorter than it is could not be set again. */
function exactDate(ms: number): string {
  return ms % 1000 === 0 ? isoDate(ms) : new Date(ms).toISOString()
}
