/**
 * The table of errors of IAM and STS, and how everything thrown becomes one of them: the only place that does.
 * Source: AWS, "Common Errors" of the IAM and STS API References, and the errors of each action.
 */
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import { PolicyError } from '../auth/policy/document.ts'
import { S3Error, type S3ErrorCode } from '../s3/errors.ts'

export const queryErrors = {
  AccessDenied: 403,
  DeleteConflict: 409,
  EntityAlreadyExists: 409,
  ExpiredToken: 403,
  ExpiredTokenException: 400,
  IDPCommunicationError: 400,
  IDPRejectedClaim: 403,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  InvalidIdentityToken: 400,
  InvalidInput: 400,
  LimitExceeded: 409,
  MalformedPolicyDocument: 400,
  MalformedQueryString: 404,
  MissingAuthenticationToken: 403,
  NoSuchEntity: 404,
  PackedPolicyTooLarge: 400,
  RequestEntityTooLarge: 413,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  UnmodifiableEntity: 400,
  ValidationError: 400,
} as const

export type QueryErrorCode = keyof typeof queryErrors

export class QueryError extends Error {
  readonly code: QueryErrorCode
  readonly status: number

  constructor(code: QueryErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'QueryError'
    this.code = code
    this.status = queryErrors[code]
  }
}

export function missingParameter(name: string): QueryError {
  return new QueryError(
    'ValidationError',
    `1 validation error detected: Value null at '${lowered(name)}' failed to satisfy constraint: Member must not be null`,
  )
}

export function invalidParameter(name: string, value: string, constraint: string): QueryError {
  const shown = value.length > 256 ? `${value.slice(0, 256)}...` : value
  return new QueryError(
    'ValidationError',
    `1 validation error detected: Value '${shown}' at '${lowered(name)}' failed to satisfy constraint: Member must satisfy ${constraint}`,
  )
}

function lowered(name: string): string {
  return `${name.slice(0, 1).toLowerCase()}${name.slice(1)}`
}

const ofCluster: Partial<Record<ClusterErrorCode, QueryErrorCode>> = {
  NoSuchEntity: 'NoSuchEntity',
  EntityExists: 'EntityAlreadyExists',
  DeleteConflict: 'DeleteConflict',
  LimitExceeded: 'LimitExceeded',
  // What the registry refuses as malformed: a form that no parameter check stopped.
  BadMessage: 'ValidationError',
  Overloaded: 'Throttling',
  NotLeader: 'ServiceUnavailable',
  GroupUnavailable: 'ServiceUnavailable',
  Timeout: 'ServiceUnavailable',
  PeerUnreachable: 'ServiceUnavailable',
  NoSpace: 'ServiceUnavailable',
}

const ofS3: Partial<Record<S3ErrorCode, QueryErrorCode>> = {
  AccessDenied: 'AccessDenied',
  InvalidAccessKeyId: 'InvalidClientTokenId',
  InvalidToken: 'InvalidClientTokenId',
  ExpiredToken: 'ExpiredToken',
  SignatureDoesNotMatch: 'SignatureDoesNotMatch',
  XAmzContentSHA256Mismatch: 'SignatureDoesNotMatch',
  RequestTimeTooSkewed: 'SignatureDoesNotMatch',
  AuthorizationHeaderMalformed: 'IncompleteSignature',
  InvalidArgument: 'IncompleteSignature',
  InvalidRequest: 'IncompleteSignature',
  SlowDown: 'Throttling',
  ServiceUnavailable: 'ServiceUnavailable',
  EntityTooLarge: 'RequestEntityTooLarge',
  MaxMessageLengthExceeded: 'RequestEntityTooLarge',
}

const ownMessages: Partial<Record<QueryErrorCode, string>> = {
  InvalidClientTokenId: 'The security token included in the request is invalid.',
  ExpiredToken: 'The security token included in the request is expired',
  ServiceUnavailable: 'The request has failed due to a temporary failure of the server.',
  Throttling: 'Rate exceeded',
  ValidationError: 'A parameter of the request is not valid.',
}

/** Never throws. What is in no table is a fault of ours: its text stays inside. */
export function toQueryError(thrown: unknown): QueryError {
  if (thrown instanceof QueryError) return thrown
  if (thrown instanceof PolicyError) return new QueryError('MalformedPolicyDocument', thrown.message)
  if (thrown instanceof S3Error) return translated(ofS3[thrown.code], thrown)
  if (thrown instanceof ClusterError) return translated(ofCluster[thrown.code], thrown)
  return translated(undefined, thrown)
}

function translated(code: QueryErrorCode | undefined, cause: unknown): QueryError {
  if (code === undefined) {
    return new QueryError(
      'InternalFailure',
      'The request processing has failed because of an unknown error.',
      {
        cause,
      },
    )
  }
  const message = ownMessages[code] ?? (cause instanceof Error ? cause.message : '')
  return new QueryError(code, message, { cause })
}
