/**
 * How an object version is encrypted, when a client or its bucket's default asked for more than the bucket's key.
 *
 * Every version has a data key that is wrapped under its bucket's key in any case (SSE-S3, no record here); this says
 * under what it was wrapped besides, and what a reader must bring. Field names are on disk and on the wire:
 * append-only. No secret and nothing from which one could be found is ever here: a customer's key has 256 random
 * bits, and the verifier is salted for each version (HMAC with salt, as AWS keeps it), so that two versions do not
 * show that they share a key.
 */
import { bytes, oneOf, record, text, union } from './shape.ts'

/** SSE-KMS: wrapped under a named key of the owner's KMS. */
export interface KmsEncryption {
  readonly kind: 'kms'
  /** Name of the key, as the KMS knows it and as clients get it back. */
  readonly keyId: string
  /** The client's encryption context: Base64 of JSON, as it was sent; bound to the wrapped key. Absent: none. */
  readonly context?: string
  /** The named key wraps a key that many versions of the bucket share for a while (S3 Bucket Keys). */
  readonly bucketKey?: true
}

/** SSE-C: wrapped under a key that comes with every request and is kept nowhere. */
export interface CustomerEncryption {
  readonly kind: 'customer'
  /** 16 random bytes; both keys that are derived from the customer's depend on them. */
  readonly salt: Uint8Array
  /** 32 bytes derived from key and salt: tells a wrong key from a damaged row. */
  readonly verifier: Uint8Array
}

/** Absent where it could stand: SSE-S3, AES256 to clients. */
export type ObjectEncryption = KmsEncryption | CustomerEncryption

/** The named key that SSE-KMS uses when nobody names one, as AWS calls it. A key store need not have it. */
export const defaultKeyName = 'alias/aws/s3'

export const encryptionLimits = {
  /** AWS: a key's ARN has at most 2,048 characters; names in our key stores are short. */
  keyIdBytesMax: 256,
  /** AWS KMS: an encryption context has at most 8,192 characters; it shares a row, and 16 KiB of request headers. */
  contextBytesMax: 8192,
  saltBytes: 16,
  verifierBytes: 32,
} as const

/** `ObjectEncryption`. */
export const objectEncryptionShape = union({
  kms: record(
    { kind: oneOf('kms'), keyId: text(encryptionLimits.keyIdBytesMax) },
    { context: text(encryptionLimits.contextBytesMax), bucketKey: oneOf(true) },
  ),
  customer: record({
    kind: oneOf('customer'),
    salt: bytes(encryptionLimits.saltBytes),
    verifier: bytes(encryptionLimits.verifierBytes),
  }),
})
