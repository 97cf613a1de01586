/**
 * Server-side encryption as clients ask for it and are told of it: SSE-S3, SSE-KMS, SSE-C, in headers or form fields.
 *
 * Invariant: an encryption that was asked for is given or the request is refused; a customer's key goes from the
 * request into a CustomerKey and is named in no error. What the keys do is gateway/object's.
 * Sources: AWS, "Specifying server-side encryption with AWS KMS", "... with customer-provided keys", and the headers of
 * PutObject, CopyObject, UploadPart, CompleteMultipartUpload and GetObject in the API reference; messages as AWS words
 * them. What AWS does not document is decided in ops/decisions/0182.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Upload } from '../../node/core/catalog-types.ts'
import {
  defaultKeyName,
  encryptionLimits,
  type KmsEncryption,
  type ObjectEncryption,
} from '../../node/core/object-encryption.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { CustomerKey, customerKeyBytes } from '../object/customer-key.ts'
import type { Protection } from '../object/data-keys.ts'
import { headerNotImplemented, invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'

const method = 'x-amz-server-side-encryption'
const kmsKeyId = 'x-amz-server-side-encryption-aws-kms-key-id'
const kmsContext = 'x-amz-server-side-encryption-context'
const bucketKeyEnabled = 'x-amz-server-side-encryption-bucket-key-enabled'
const customer = 'x-amz-server-side-encryption-customer-'
const sourceCustomer = 'x-amz-copy-source-server-side-encryption-customer-'

/** Request headers that AWS knows on writes and nowhere else. */
const writeHeaders = [method, kmsKeyId, kmsContext, bucketKeyEnabled]

/** What a write asks for; `bucketKey` undefined: as the bucket has it. */
export type EncryptionRequest =
  | { readonly kind: 'default'; readonly bucketKey: boolean | undefined }
  | { readonly kind: 'bucket' }
  | {
      readonly kind: 'kms'
      readonly keyId: string | undefined
      readonly context: string | undefined
      readonly bucketKey: boolean | undefined
    }
  | { readonly kind: 'customer'; readonly key: CustomerKey }

/** What the decoding functions see of a request. `confidential`: nobody on the way can read a key in it. */
export interface EncryptionFields {
  /** Lower-case names: of a request, or the fields of a form. */
  readonly headers: Headers
  readonly confidential: boolean
}

/**
 * What a write asks for: PutObject, CopyObject, CreateMultipartUpload, PostObject.
 * Throws InvalidArgument, InvalidRequest; NotImplemented for two layers of encryption (aws:kms:dsse).
 */
export function decodeEncryption(fields: EncryptionFields): EncryptionRequest {
  const { headers } = fields
  const key = decodeCustomerKey(fields)
  if (key !== undefined) {
    if (writeHeaders.some((name) => headers[name] !== undefined)) throw incompatible(headers)
    return { kind: 'customer', key }
  }
  const asked = headers[method]
  if (asked === 'aws:kms:dsse') throw headerNotImplemented(method)
  if (asked !== undefined && asked !== 'AES256' && asked !== 'aws:kms') {
    throw invalidArgument(method, asked, 'The encryption method specified is not supported')
  }
  const bucketKey = decodeFlag(headers)
  if (asked === 'aws:kms') {
    const keyId = headers[kmsKeyId]
    return {
      kind: 'kms',
      keyId: keyId === '' ? undefined : keyId,
      context: decodeContext(headers),
      bucketKey,
    }
  }
  for (const name of [kmsKeyId, kmsContext]) {
    const value = headers[name]
    if (value !== undefined) {
      throw invalidArgument(
        name,
        value,
        'Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms',
      )
    }
  }
  return asked === 'AES256' ? { kind: 'bucket' } : { kind: 'default', bucketKey }
}

/** The key for the object itself: reads, writes, parts. Throws InvalidArgument, InvalidRequest. */
export function decodeCustomerKey(fields: EncryptionFields): CustomerKey | undefined {
  return decodeKey(fields, customer)
}

/** The key for the source of a copy. Throws InvalidArgument, InvalidRequest. */
export function decodeSourceCustomerKey(fields: EncryptionFields): CustomerKey | undefined {
  return decodeKey(fields, sourceCustomer)
}

function decodeKey({ headers, confidential }: EncryptionFields, prefix: string): CustomerKey | undefined {
  const algorithm = headers[`${prefix}algorithm`]
  const keyText = headers[`${prefix}key`]
  const md5Text = headers[`${prefix}key-md5`]
  if (algorithm === undefined && keyText === undefined && md5Text === undefined) return undefined
  if (!confidential) {
    throw new S3Error(
      'InvalidRequest',
      'Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.',
    )
  }
  const refused = (name: string, message: string, value = 'null') =>
    invalidArgument(`${prefix}${name}`, value, message)
  const must = 'Requests specifying Server Side Encryption with Customer provided keys must provide'
  if (algorithm === undefined) throw refused('algorithm', `${must} a valid encryption algorithm.`)
  if (keyText === undefined) throw refused('key', `${must} an appropriate secret key.`)
  if (md5Text === undefined) throw refused('key-md5', `${must} the client calculated MD5 of the secret key.`)
  if (algorithm !== 'AES256') {
    throw refused('algorithm', `${must} a valid encryption algorithm.`, algorithm)
  }
  const key = decodeBase64(keyText)
  if (key?.length !== customerKeyBytes) {
    throw refused('key', 'The secret key was invalid for the specified algorithm.')
  }
  const md5 = createHash('md5').update(key).digest()
  const stated = decodeBase64(md5Text)
  if (stated?.length !== md5.length || !timingSafeEqual(stated, md5)) {
    throw refused('key-md5', 'The calculated MD5 hash of the key did not match the hash that was provided.')
  }
  return new CustomerKey(key, md5.toString('base64'))
}

/** Strictly: what does not come out again as it went in is none. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

function decodeFlag(headers: Headers): boolean | undefined {
  const text = headers[bucketKeyEnabled]
  if (text === undefined || text === '') return undefined
  const lower = text.toLowerCase()
  if (lower !== 'true' && lower !== 'false') {
    throw invalidArgument(bucketKeyEnabled, text, 'The value must be true or false')
  }
  return lower === 'true'
}

/** As it was sent, if it is Base64 of a JSON object of strings. */
function decodeContext(headers: Headers): string | undefined {
  const text = headers[kmsContext]
  if (text === undefined || text === '') return undefined
  if (text.length <= encryptionLimits.contextBytesMax && isContext(text)) return text
  throw invalidArgument(
    kmsContext,
    'null',
    `The header '${kmsContext}' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map`,
  )
}

function isContext(text: string): boolean {
  const bytes = decodeBase64(text)
  if (bytes === undefined) return false
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return (
      typeof parsed === 'object' &&
      parsed !== null &&
      !Array.isArray(parsed) &&
      Object.values(parsed).every((value) => typeof value === 'string')
    )
  } catch {
    // Neither UTF-8 nor JSON: no context.
    return false
  }
}

function incompatible(headers: Headers): S3Error {
  return invalidArgument(
    method,
    headers[method] ?? 'null',
    'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
  )
}

/** Throws AccessDenied where the bucket's encryption document blocks SSE-C; reading goes on. */
export function checkCustomerKeysAllowed(key: CustomerKey | undefined, bucket: Bucket): void {
  if (key !== undefined && bucket.configuration?.encryption?.blockCustomerKeys === true) {
    throw new S3Error('AccessDenied')
  }
}

/**
 * What a new object gets: what was asked for, else what the bucket says, else its bucket's key alone (undefined).
 * Throws AccessDenied.
 */
export function protectionFor(request: EncryptionRequest, bucket: Bucket): Protection | undefined {
  if (request.kind === 'customer') {
    checkCustomerKeysAllowed(request.key, bucket)
    return request
  }
  if (request.kind === 'bucket') return undefined
  const rule = bucket.configuration?.encryption
  const shared = (request.bucketKey ?? rule?.bucketKey ?? false) ? ({ bucketKey: true } as const) : {}
  if (request.kind === 'kms') {
    const { keyId = defaultKeyName, context } = request
    return { kind: 'kms', keyId, ...(context === undefined ? {} : { context }), ...shared }
  }
  if (rule?.algorithm !== 'aws:kms') return undefined
  return { kind: 'kms', keyId: rule.kmsKeyId ?? defaultKeyName, ...shared }
}

/** Headers of the answer to a write that began an object. */
export function protectionHeaders(protection: Protection | undefined): Record<string, string> {
  if (protection?.kind === 'customer') return customerHeaders(protection.key)
  const headers = encryptionHeaders(protection)
  if (protection?.context !== undefined) headers[kmsContext] = protection.context
  return headers
}

/** Headers of an answer about an object or upload that exists; `key` as `checkCustomerKey` let it pass. */
export function encryptionHeaders(
  encryption: ObjectEncryption | KmsEncryption | undefined,
  key?: CustomerKey,
): Record<string, string> {
  if (encryption === undefined) return { [method]: 'AES256' }
  if (encryption.kind === 'customer') return key === undefined ? {} : customerHeaders(key)
  const { keyId, bucketKey } = encryption
  return {
    [method]: 'aws:kms',
    [kmsKeyId]: keyId,
    ...(bucketKey === true ? { [bucketKeyEnabled]: 'true' } : {}),
  }
}

function customerHeaders(key: CustomerKey): Record<string, string> {
  return { [`${customer}algorithm`]: 'AES256', [`${customer}key-md5`]: key.md5 }
}

/** Reads say nothing of the encryption but a customer's key. Throws InvalidArgument, as AWS does. */
export function refuseWriteEncryption(headers: Headers): void {
  for (const name of writeHeaders) {
    const value = headers[name]
    if (value !== undefined) {
      throw invalidArgument(name, value, `${name} header is not supported for this operation.`)
    }
  }
}

/**
 * Whether a read may go on with the key that came with it. AWS documents no answer to a wrong key; ours is that to a
 * missing one, which tells nothing more. Throws InvalidRequest.
 */
export function checkCustomerKey(
  encryption: ObjectEncryption | undefined,
  key: CustomerKey | undefined,
): void {
  if (encryption?.kind === 'customer') {
    if (key?.opens(encryption) === true) return
    throw new S3Error(
      'InvalidRequest',
      'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    )
  }
  if (key !== undefined) {
    throw new S3Error('InvalidRequest', 'The encryption parameters are not applicable to this object.')
  }
}

/**
 * Whether a part goes with its upload: both under the same customer's key or neither. `required: false`: the request
 * may leave the key out, but not bring another. Throws InvalidRequest.
 */
export function checkUploadKey(
  { encryption }: Pick<Upload, 'encryption'>,
  key: CustomerKey | undefined,
  options: { required: boolean } = { required: true },
): void {
  if (encryption?.kind !== 'customer') {
    if (key === undefined) return
    throw new S3Error(
      'InvalidRequest',
      'The multipart upload initiate did not request encryption. Please resend the request without sending encryption parameters.',
    )
  }
  if (key === undefined) {
    if (!options.required) return
    throw new S3Error(
      'InvalidRequest',
      'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.',
    )
  }
  if (!key.opens(encryption)) {
    throw new S3Error(
      'InvalidRequest',
      'The provided encryption parameters did not match the ones used originally.',
    )
  }
}

/** Whether a copy asks for an encryption of its own: then an object may be copied onto itself. */
export function asksForEncryption(request: EncryptionRequest): boolean {
  return request.kind !== 'default' || request.bucketKey !== undefined
}
