/**
 * The envelope: a small secret encrypted under a 256-bit key, bound to a context.
 *
 * Layout (version 1): u8 version, u8 algorithm (1 = AES-256-GCM), 8 bytes key fingerprint, 12 bytes random nonce,
 * ciphertext, 16 bytes tag. Everything before the ciphertext and the context are authenticated. Random 96-bit
 * nonces: at most 2^32 envelopes per key (NIST SP 800-38D, 8.3); a bucket key stays far below that in its lifetime.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { ClusterError } from '../errors.ts'

const VERSION = 1
const ALGORITHM_AES_256_GCM = 1
const FINGERPRINT_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 2 + FINGERPRINT_BYTES + NONCE_BYTES

/** Names a key without telling it: the first 8 bytes of SHA-256 over a domain string and the key. */
export function keyFingerprint(key: Uint8Array): Buffer {
  return createHash('sha256')
    .update('bundescloud key fingerprint v1')
    .update(key)
    .digest()
    .subarray(0, FINGERPRINT_BYTES)
}

/** The fingerprint of the key that an envelope was sealed with. Throws ClusterError DecryptionFailed when it is none. */
export function envelopeKeyFingerprint(envelope: Uint8Array): Buffer {
  if (envelope.length < HEADER_BYTES + TAG_BYTES)
    throw new ClusterError('DecryptionFailed', 'envelope is too short')
  return Buffer.from(envelope.subarray(2, 2 + FINGERPRINT_BYTES))
}

/** Encrypts `secret` under `key` (32 bytes); `context` says what it is for and must be given again to open it. */
export function sealEnvelope(key: Uint8Array, secret: Uint8Array, context: string): Buffer {
  const header = Buffer.concat([
    Buffer.from([VERSION, ALGORITHM_AES_256_GCM]),
    keyFingerprint(key),
    randomBytes(NONCE_BYTES),
  ])
  const cipher = createCipheriv('aes-256-gcm', key, header.subarray(HEADER_BYTES - NONCE_BYTES))
  cipher.setAAD(Buffer.concat([header, Buffer.from(context, 'utf8')]))
  return Buffer.concat([header, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
}

/** The secret inside; throws ClusterError DecryptionFailed when key, context or bytes are not those it was sealed with. */
export function openEnvelope(key: Uint8Array, envelope: Uint8Array, context: string): Buffer {
  const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength)
  if (bytes.length < HEADER_BYTES + TAG_BYTES)
    throw new ClusterError('DecryptionFailed', 'envelope is too short')
  if (bytes[0] !== VERSION || bytes[1] !== ALGORITHM_AES_256_GCM) {
    throw new ClusterError(
      'DecryptionFailed',
      `envelope version ${bytes[0]}, algorithm ${bytes[1]} is unknown`,
    )
  }
  const header = bytes.subarray(0, HEADER_BYTES)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, header.subarray(HEADER_BYTES - NONCE_BYTES))
    decipher.setAAD(Buffer.concat([header, Buffer.from(context, 'utf8')]))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw new ClusterError('DecryptionFailed', 'envelope does not open with this key and context', { cause })
  }
}
