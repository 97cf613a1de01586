/**
 * What an access log says of one request, gathered from what the pipeline knows when it has ended.
 */
import { TLSSocket } from 'node:tls'
import type { Bucket } from '../../node/core/registry-types.ts'
import type { Identity } from '../auth/identity.ts'
import { type Exchange, remoteIp } from '../exchange.ts'
import type { OperationRow } from '../operation.ts'
import { type Address, queryValue } from '../s3/address.ts'
import { type AccessRecord, accessOperation } from './access-record.ts'

export interface Observed {
  readonly bucket: Bucket
  readonly operation: OperationRow
  readonly address: Address
  readonly exchange: Exchange
  /** The request target as sent. */
  readonly url: string
  /** Undefined: nobody was authenticated. */
  readonly identity: Identity | undefined
  readonly errorCode: string | undefined
  readonly timeMs: number
  readonly totalMs: number
}

export function accessRecordOf(observed: Observed): AccessRecord {
  const { bucket, operation, address, exchange, identity } = observed
  const { raw, answer } = exchange
  const { headers, socket } = raw
  const tls = socket instanceof TLSSocket ? socket : undefined
  return {
    bucketOwnerId: bucket.ownerId,
    bucket: bucket.name,
    timeMs: observed.timeMs,
    remoteIp: remoteIp(raw) || '-',
    requester: requesterOf(identity),
    requestId: exchange.requestId,
    operation: accessOperation(operation),
    key: address.key,
    requestUri: `${raw.method ?? ''} ${withoutSecrets(observed.url)} HTTP/${raw.httpVersion}`,
    status: answer?.status ?? 0,
    errorCode: observed.errorCode,
    bytesSent: exchange.bytesOut,
    objectBytes: observed.errorCode === undefined ? objectBytes(operation, exchange) : undefined,
    totalMs: observed.totalMs,
    turnAroundMs: answer?.turnAroundMs ?? observed.totalMs,
    referer: headers.referer,
    userAgent: headers['user-agent'],
    versionId: answer?.headers['x-amz-version-id'] ?? queryValue(address.query, 'versionId'),
    hostId: exchange.hostId,
    auth: authOf(observed),
    cipher: tls?.getCipher().name,
    hostHeader: headers.host,
    tlsVersion: tls?.getProtocol() ?? undefined,
    aclRequired: false,
  }
}

/** A root is named by its account, others by their ARN. */
function requesterOf(identity: Identity | undefined): string | undefined {
  if (identity === undefined || identity.kind === 'anonymous') return undefined
  return identity.isRoot ? identity.accountId : identity.arn
}

function authOf({ identity, exchange, address, operation }: Observed): AccessRecord['auth'] {
  if (identity === undefined || identity.kind === 'anonymous') return undefined
  if (exchange.raw.headers.authorization !== undefined) return 'AuthHeader'
  if (operation.name === 'PostObject') return 'PostPolicy'
  return queryValue(address.query, 'X-Amz-Signature') === undefined ? undefined : 'QueryString'
}

/** Lower case. A presigned address is a key for as long as it lives; a customer's key is one for good. */
const secretQueries: ReadonlySet<string> = new Set([
  'x-amz-signature',
  'x-amz-security-token',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-server-side-encryption-customer-key-md5',
  'x-amz-copy-source-server-side-encryption-customer-key',
  'x-amz-copy-source-server-side-encryption-customer-key-md5',
])

/** The request target without what a log must not hand on. */
function withoutSecrets(url: string): string {
  return url.replace(/([?&])([^=&]*)=[^&]*/g, (pair, before: string, name: string) =>
    secretQueries.has(decoded(name).toLowerCase()) ? `${before}${name}=-` : pair,
  )
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    // No escape that anybody would take for a name of ours.
    return name
  }
}

/** Of the object that was read or written whole; what the answer or the request said of it. */
function objectBytes({ name }: OperationRow, { raw, answer }: Exchange): number | undefined {
  const total = /\/(\d+)$/.exec(answer?.headers['content-range'] ?? '')?.[1]
  const length =
    name === 'GetObject' || name === 'HeadObject'
      ? (total ?? answer?.headers['content-length'])
      : name === 'PutObject' || name === 'UploadPart'
        ? (raw.headers['x-amz-decoded-content-length'] ?? raw.headers['content-length'])
        : undefined
  return length === undefined || !/^\d+$/.test(String(length)) ? undefined : Number(length)
}
