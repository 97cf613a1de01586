/**
 * One line of an access log, as S3 writes it: 26 fields, `-` for what is not known.
 *
 * Invariant: nothing that a client sends can end a line, a field or a quotation: such bytes are percent-encoded.
 * Source: AWS, "Amazon S3 server access log format".
 */
import type { OperationRow } from '../operation.ts'

export interface AccessRecord {
  readonly bucketOwnerId: string
  readonly bucket: string
  readonly timeMs: number
  readonly remoteIp: string
  /** Canonical id or ARN of the requester; undefined: anonymous. */
  readonly requester: string | undefined
  readonly requestId: string
  /** As `accessOperation` names it. */
  readonly operation: string
  /** '' for requests on buckets. */
  readonly key: string
  readonly requestUri: string
  readonly status: number
  readonly errorCode: string | undefined
  readonly bytesSent: number
  readonly objectBytes: number | undefined
  readonly totalMs: number
  readonly turnAroundMs: number
  readonly referer: string | undefined
  readonly userAgent: string | undefined
  readonly versionId: string | undefined
  readonly hostId: string
  readonly auth: 'AuthHeader' | 'QueryString' | 'PostPolicy' | undefined
  readonly cipher: string | undefined
  readonly hostHeader: string | undefined
  readonly tlsVersion: string | undefined
  readonly aclRequired: boolean
}

/** The line, without its end. */
export function formatAccessRecord(record: AccessRecord): string {
  const { auth } = record
  return [
    record.bucketOwnerId,
    record.bucket,
    `[${logTime(record.timeMs)}]`,
    record.remoteIp,
    bare(record.requester),
    record.requestId,
    record.operation,
    record.key === '' ? '-' : encodeURIComponent(record.key.toWellFormed()).replaceAll('%2F', '/'),
    quoted(record.requestUri),
    record.status,
    record.errorCode ?? '-',
    record.bytesSent === 0 ? '-' : record.bytesSent,
    record.objectBytes ?? '-',
    Math.round(record.totalMs),
    Math.round(record.turnAroundMs),
    quoted(record.referer),
    quoted(record.userAgent),
    bare(record.versionId),
    record.hostId,
    auth === undefined ? '-' : 'SigV4',
    bare(record.cipher),
    auth === 'PostPolicy' ? '-' : (auth ?? '-'),
    bare(record.hostHeader),
    bare(record.tlsVersion),
    '-',
    record.aclRequired ? 'Yes' : '-',
  ].join(' ')
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `06/Feb/2019:00:00:38 +0000` */
function logTime(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  return `${day}/${months[Number(month) - 1] ?? ''}/${year}:${time.slice(0, 8)} +0000`
}

/** Longer ones are cut: a line must stay readable, and a client must not fill the log. */
const textCharsMax = 4096

function quoted(text: string | undefined): string {
  if (text === undefined || text === '') return '"-"'
  return `"${escaped(text, /[^\x20\x21\x23-\x5b\x5d-\x7e]/g)}"`
}

function bare(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : escaped(text, /[^\x21\x23-\x5a\x5e-\x7e]/g)
}

function escaped(text: string, strangers: RegExp): string {
  return text.slice(0, textCharsMax).replace(strangers, (char) => encodeURIComponent(char.toWellFormed()))
}

/** What AWS calls the resource of a sub-resource; others are its name in capitals. */
const resources: Readonly<Record<string, string>> = {
  acl: 'ACL',
  delete: 'MULTI_OBJECT_DELETE',
  encryption: 'ENCRYPTION',
  'legal-hold': 'LEGAL_HOLD',
  logging: 'LOGGING_STATUS',
  notification: 'NOTIFICATION',
  'object-lock': 'OBJECT_LOCK_CONFIGURATION',
  ownershipControls: 'OWNERSHIP_CONTROLS',
  policy: 'BUCKETPOLICY',
  policyStatus: 'BUCKETPOLICY_STATUS',
  publicAccessBlock: 'PUBLIC_ACCESS_BLOCK',
  requestPayment: 'REQUEST_PAYMENT',
  uploadId: 'UPLOAD',
  versions: 'BUCKETVERSIONS',
}

/** The operation field: `REST.<method>.<resource>`. */
export function accessOperation(row: OperationRow): string {
  const { name, method, target, subresource } = row
  if (name === 'CopyObject') return 'REST.COPY.OBJECT'
  if (name === 'UploadPart') return 'REST.PUT.PART'
  if (name === 'UploadPartCopy') return 'REST.COPY.PART'
  const plain = subresource === undefined || subresource === 'list-type'
  if (plain) return `REST.${method}.${target.toUpperCase()}`
  const resource = resources[subresource] ?? subresource.toUpperCase().replaceAll('-', '_')
  return `REST.${method}.${target === 'object' && subresource === 'tagging' ? 'OBJECT_TAGGING' : resource}`
}
