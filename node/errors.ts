/**
 * The operating errors of the cluster: one class, one table. A bug is not in this table: it asserts.
 * The gateway translates these to S3 errors in one place (`gateway/s3/translate.ts`).
 */

/** `retryable`: the same request may succeed when sent again, possibly elsewhere. */
export const clusterErrors = {
  NotLeader: { retryable: true },
  GroupUnavailable: { retryable: true },
  Overloaded: { retryable: true },
  Timeout: { retryable: true },
  PeerUnreachable: { retryable: true },
  WriteQuorumUnavailable: { retryable: true },
  ReadQuorumUnavailable: { retryable: true },
  NoSpace: { retryable: true },
  ShardNotFound: { retryable: false },
  ShardCorrupt: { retryable: false },
  GenerationMismatch: { retryable: false },
  NotAdmitted: { retryable: false },
  Forbidden: { retryable: false },
  BadMessage: { retryable: false },
  BadStatement: { retryable: false },
  NoSuchBucket: { retryable: false },
  BucketExists: { retryable: false },
  BucketNotEmpty: { retryable: false },
  TooManyBuckets: { retryable: false },
  NoSuchObject: { retryable: false },
  NoSuchUpload: { retryable: false },
  InvalidPart: { retryable: false },
  InvalidPartOrder: { retryable: false },
  PartTooSmall: { retryable: false },
  PreconditionFailed: { retryable: false },
  ConditionalConflict: { retryable: true },
  VersionAbandoned: { retryable: false },
  NoSuchEntity: { retryable: false },
  EntityExists: { retryable: false },
  DeleteConflict: { retryable: false },
  LimitExceeded: { retryable: false },
  StaleBucket: { retryable: true },
  WriteRulesConflict: { retryable: false },
  WriteRulesBehind: { retryable: true },
  QuotaExceeded: { retryable: false },
  NoSuchVersion: { retryable: false },
  IsDeleteMarker: { retryable: false },
  WormProtected: { retryable: false },
  NoObjectLock: { retryable: false },
  DecryptionFailed: { retryable: false },
  KmsKeyNotFound: { retryable: false },
  KmsUnavailable: { retryable: true },
  Internal: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>

export type ClusterErrorCode = keyof typeof clusterErrors

/** An operating error of the cluster. `details` is small, serialisable and free of secrets: it travels. */
export class ClusterError extends Error {
  readonly code: ClusterErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ClusterErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ClusterError'
    this.code = code
    this.details = options.details ?? {}
  }

  get retryable(): boolean {
    return clusterErrors[this.code].retryable
  }
}

/** Whether `value` is the name of an error that peers may send us; anything else becomes Internal. */
export function isClusterErrorCode(value: unknown): value is ClusterErrorCode {
  return typeof value === 'string' && Object.hasOwn(clusterErrors, value)
}
