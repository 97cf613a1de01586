/**
 * A key that a client sends with each request about an object (SSE-C).
 *
 * Invariant: the key itself leaves this object never, not even into a log line or an error; what is derived from it
 * depends on a salt of 16 random bytes per version, and the wrapping key and the verifier are separate outputs of
 * HKDF-SHA256 (RFC 5869), so that the stored verifier says nothing about the wrapping key. The memory is given up with
 * the request.
 */
import { hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'
import { type CustomerEncryption, encryptionLimits } from '../../node/core/object-encryption.ts'

/** AES-256. */
export const customerKeyBytes = 32

const wrapInfo = 'bundescloud sse-c wrap aes-256-gcm v1'
const verifyInfo = 'bundescloud sse-c verify v1'
const shown = '[customer key]'

export class CustomerKey {
  readonly #key: Buffer
  readonly #md5: string

  /** `key`: 32 bytes; `md5`: theirs in Base64, as the client sent it and gets it back. The caller has checked both. */
  constructor(key: Buffer, md5: string) {
    this.#key = key
    this.#md5 = md5
  }

  /** Goes back to the client that sent it, and nowhere else: an unsalted digest of the key. */
  get md5(): string {
    return this.#md5
  }

  /** The record for a new version. */
  seal(salt: Uint8Array = randomBytes(encryptionLimits.saltBytes)): CustomerEncryption {
    return {
      kind: 'customer',
      salt,
      verifier: this.#derive(salt, verifyInfo, encryptionLimits.verifierBytes),
    }
  }

  /** Whether this is the key that a version was written with; in constant time. */
  opens({ salt, verifier }: CustomerEncryption): boolean {
    const own = this.#derive(salt, verifyInfo, encryptionLimits.verifierBytes)
    return own.length === verifier.length && timingSafeEqual(own, verifier)
  }

  /** The key that wraps the data key of the version with this salt. */
  wrappingKey(salt: Uint8Array): Buffer {
    return this.#derive(salt, wrapInfo, customerKeyBytes)
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }

  #derive(salt: Uint8Array, info: string, bytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, salt, info, bytes))
  }
}
