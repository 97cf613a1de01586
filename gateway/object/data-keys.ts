/**
 * Data keys of object versions: made, wrapped under the bucket's key, unwrapped again.
 *
 * The bucket's key is itself wrapped by the owner's key in the KMS; unwrapped bucket keys are kept for a while, since
 * they are needed with every request. A data key is never stored in the clear.
 */
import { randomBytes } from 'node:crypto'
import type { WrappedKey } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'
import type { Kms } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { bucketKeyContext } from './bucket-directory.ts'

export const keyLimits = {
  /** Bucket keys in memory. */
  bucketKeysMax: 1_000,
  /** A bucket key that the KMS has destroyed stops working after so long. */
  bucketKeyMs: 60_000,
} as const

const WRAPPING_PREFIX = 'envelope-v1:'

export class DataKeys {
  readonly #kms: Kms
  readonly #bucketKeys = new ExpiringCache<string, Promise<Buffer>>(
    keyLimits.bucketKeysMax,
    keyLimits.bucketKeyMs,
  )

  constructor(kms: Kms) {
    this.#kms = kms
  }

  /** A new random data key; `subject` names what it encrypts (`<bucketId>/<versionId or uploadId>`) and is bound to it. */
  async create(bucket: Bucket, subject: string): Promise<{ key: Buffer; wrapped: WrappedKey }> {
    const key = randomBytes(32)
    const wrapping = `${WRAPPING_PREFIX}${bucket.bucketId}/${subject}`
    return { key, wrapped: { wrapping, bytes: sealEnvelope(await this.#bucketKey(bucket), key, wrapping) } }
  }

  /** Throws DecryptionFailed when the bucket's key or the wrapped bytes are not the right ones. */
  async open(bucket: Bucket, wrapped: WrappedKey): Promise<Buffer> {
    if (!wrapped.wrapping.startsWith(`${WRAPPING_PREFIX}${bucket.bucketId}/`)) {
      throw new ClusterError('DecryptionFailed', 'the data key was wrapped for another bucket')
    }
    return openEnvelope(await this.#bucketKey(bucket), wrapped.bytes, wrapped.wrapping)
  }

  #bucketKey(bucket: Bucket): Promise<Buffer> {
    const cached = this.#bucketKeys.get(bucket.bucketId)
    if (cached !== undefined) return cached
    const opening = this.#kms.unwrap(bucket.wrappedKey, bucketKeyContext(bucket.bucketId))
    this.#bucketKeys.set(bucket.bucketId, opening)
    opening.catch(() => this.#bucketKeys.delete(bucket.bucketId))
    return opening
  }
}
