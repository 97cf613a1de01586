/**
 * From anything thrown to the error that the client sees: the only place that knows both tables.
 * What is not in the table below is a bug or a storage fault and becomes InternalError; its text stays inside.
 */
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import { gatewayLimits } from '../limits.ts'
import { S3Error, type S3ErrorCode } from './errors.ts'

const table: Record<ClusterErrorCode, S3ErrorCode> = {
  NotLeader: 'ServiceUnavailable',
  GroupUnavailable: 'ServiceUnavailable',
  Overloaded: 'SlowDown',
  Timeout: 'ServiceUnavailable',
  PeerUnreachable: 'ServiceUnavailable',
  WriteQuorumUnavailable: 'ServiceUnavailable',
  ReadQuorumUnavailable: 'ServiceUnavailable',
  NoSpace: 'ServiceUnavailable',
  ShardNotFound: 'InternalError',
  ShardCorrupt: 'InternalError',
  GenerationMismatch: 'InternalError',
  NotAdmitted: 'InternalError',
  Forbidden: 'InternalError',
  BadMessage: 'InternalError',
  BadStatement: 'InternalError',
  NoSuchBucket: 'NoSuchBucket',
  BucketExists: 'BucketAlreadyExists',
  BucketNotEmpty: 'BucketNotEmpty',
  TooManyBuckets: 'TooManyBuckets',
  NoSuchObject: 'NoSuchKey',
  NoSuchUpload: 'NoSuchUpload',
  InvalidPart: 'InvalidPart',
  InvalidPartOrder: 'InvalidPartOrder',
  PartTooSmall: 'EntityTooSmall',
  PreconditionFailed: 'PreconditionFailed',
  ConditionalConflict: 'ConditionalRequestConflict',
  // Fenced by garbage collection before it was committed: the client sends it again.
  VersionAbandoned: 'ServiceUnavailable',
  // What IAM answers (gateway/iam/iam-errors.ts); no S3 operation meets these.
  NoSuchEntity: 'InternalError',
  EntityExists: 'InternalError',
  DeleteConflict: 'InternalError',
  LimitExceeded: 'InternalError',
  StaleBucket: 'OperationAborted',
  WriteRulesConflict: 'InvalidBucketState',
  WriteRulesBehind: 'ServiceUnavailable',
  NoSuchVersion: 'NoSuchVersion',
  IsDeleteMarker: 'MethodNotAllowed',
  WormProtected: 'AccessDenied',
  NoObjectLock: 'InvalidRequest',
  DecryptionFailed: 'InternalError',
  KmsKeyNotFound: 'KMS.NotFoundException',
  KmsUnavailable: 'ServiceUnavailable',
  QuotaExceeded: 'QuotaExceeded',
  Internal: 'InternalError',
}

/** Never throws. 503 answers carry Retry-After. */
export function toS3Error(thrown: unknown): S3Error {
  if (thrown instanceof S3Error) return thrown
  if (!(thrown instanceof ClusterError)) return new S3Error('InternalError', undefined, { cause: thrown })
  const code = table[thrown.code]
  const headers: Record<string, string> =
    code === 'ServiceUnavailable' || code === 'SlowDown'
      ? { 'retry-after': String(gatewayLimits.retryAfterSeconds) }
      : {}
  return new S3Error(code, messageOf(thrown), { cause: thrown, headers })
}

/** What AWS says where a code means many things, or names the thing that is not there; undefined: as in the table. */
function messageOf(error: ClusterError): string | undefined {
  switch (error.code) {
    case 'KmsKeyNotFound':
      return `Key '${error.details.keyId}' does not exist`
    case 'NoObjectLock':
      return 'Bucket is missing Object Lock Configuration'
    case 'WormProtected':
      return 'Access Denied because object protected by object lock.'
    default:
      return undefined
  }
}
