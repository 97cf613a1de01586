/**
 * Data keys of object versions: made, wrapped, unwrapped again. A data key is never stored in the clear.
 *
 * Every data key is wrapped under its bucket's key, which is itself wrapped by the owner's key in the KMS. SSE-KMS and
 * SSE-C put a second layer around that, under a named key of the KMS or a key derived from the customer's: so both are
 * needed to read, and destroying either one erases. Forms, named in `WrappedKey.wrapping` before `<bucketId>/<subject>`,
 * where E is an envelope (node/protocol/envelope.ts) bound to that name:
 *
 * | form             | bytes                                                                                   |
 * |------------------|-----------------------------------------------------------------------------------------|
 * | `envelope-v1:`   | E(bucket's key, data key)                                                               |
 * | `kms-v1:`        | KMS(named key, E(bucket's key, data key)), bound to the client's context too             |
 * | `kms-shared-v1:` | u16 length, KMS(named key, shared key), E(shared key, E(bucket's key, data key)), bound so |
 * | `customer-v1:`   | E(HKDF(customer's key, salt), E(bucket's key, data key))                                |
 *
 * Unwrapped bucket keys and shared keys are kept for a while, since they are needed with every request: a key that the
 * KMS has destroyed stops working after that. A named key without sharing is asked for every time.
 */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto'
import type { Version, WrappedKey } from '../../node/core/catalog-types.ts'
import type { KmsEncryption, ObjectEncryption } from '../../node/core/object-encryption.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'
import type { Kms } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { bucketKeyContext } from './bucket-directory.ts'
import type { CustomerKey } from './customer-key.ts'

export const keyLimits = {
  /** Bucket keys in memory. */
  bucketKeysMax: 1_000,
  /** A bucket key, or a key shared under a named one, that the KMS has destroyed stops working after so long. */
  bucketKeyMs: 60_000,
  /** Keys shared under named ones in memory; one more per bucket, named key and minute of writing. */
  sharedKeysMax: 1_000,
} as const

/** What a new object is to be protected with beside its bucket's key. */
export type Protection = KmsEncryption | { readonly kind: 'customer'; readonly key: CustomerKey }

export interface NewDataKey {
  readonly key: Buffer
  readonly wrapped: WrappedKey
  /** For the row; undefined: SSE-S3. */
  readonly encryption: ObjectEncryption | undefined
}

/** What of a version or an upload it takes to open its data key. */
export type SealedDataKey = Pick<Version, 'dataKey' | 'encryption'>

type Form = 'envelope-v1' | 'kms-v1' | 'kms-shared-v1' | 'customer-v1'

interface SharedKey {
  readonly key: Buffer
  readonly wrapped: Uint8Array
}

export class DataKeys {
  readonly #kms: Kms
  readonly #bucketKeys = new ExpiringCache<string, Promise<Buffer>>(
    keyLimits.bucketKeysMax,
    keyLimits.bucketKeyMs,
  )
  /** For writing, by bucket and named key. */
  readonly #sharedKeys = new ExpiringCache<string, Promise<SharedKey>>(
    keyLimits.sharedKeysMax,
    keyLimits.bucketKeyMs,
  )
  /** For reading, by named key and wrapped bytes. */
  readonly #openedKeys = new ExpiringCache<string, Promise<Buffer>>(
    keyLimits.sharedKeysMax,
    keyLimits.bucketKeyMs,
  )

  constructor(kms: Kms) {
    this.#kms = kms
  }

  /**
   * A new random data key; `subject` names what it encrypts (`<versionId or uploadId>`) and is bound to it.
   * Throws KmsKeyNotFound, KmsUnavailable.
   */
  async create(bucket: Bucket, subject: string, protection?: Protection): Promise<NewDataKey> {
    const key = randomBytes(32)
    const form = formOf(protection)
    const wrapping = `${form}:${bucket.bucketId}/${subject}`
    const inner = sealEnvelope(await this.#bucketKey(bucket), key, wrapping)
    if (protection === undefined) return { key, wrapped: { wrapping, bytes: inner }, encryption: undefined }
    if (protection.kind === 'kms') {
      const bytes = await this.#wrapNamed(bucket, inner, { wrapping, encryption: protection })
      return { key, wrapped: { wrapping, bytes }, encryption: protection }
    }
    const encryption = protection.key.seal()
    const bytes = sealEnvelope(protection.key.wrappingKey(encryption.salt), inner, wrapping)
    return { key, wrapped: { wrapping, bytes }, encryption }
  }

  /**
   * The data key; the caller has checked `customerKey` against `encryption` (see customer-key.ts).
   * Throws KmsKeyNotFound, KmsUnavailable, and DecryptionFailed when a key or the wrapped bytes are not the right ones.
   */
  async open(bucket: Bucket, sealed: SealedDataKey, customerKey?: CustomerKey): Promise<Buffer> {
    const { wrapping, bytes } = sealed.dataKey
    const { encryption } = sealed
    const form = formOf(encryption)
    if (!wrapping.startsWith(`${form}:${bucket.bucketId}/`)) {
      throw new ClusterError(
        'DecryptionFailed',
        'the data key was wrapped for another bucket or in another way',
      )
    }
    let inner: Uint8Array = bytes
    if (encryption?.kind === 'kms') {
      inner = await this.#unwrapNamed(bucket, bytes, { wrapping, encryption })
    } else if (encryption?.kind === 'customer') {
      if (customerKey === undefined)
        throw new ClusterError('DecryptionFailed', "the customer's key is needed")
      inner = openEnvelope(customerKey.wrappingKey(encryption.salt), bytes, wrapping)
    }
    return openEnvelope(await this.#bucketKey(bucket), inner, wrapping)
  }

  async #wrapNamed(bucket: Bucket, inner: Uint8Array, use: NamedUse): Promise<Uint8Array> {
    const { keyId, bucketKey } = use.encryption
    if (bucketKey !== true) return this.#kms.wrap(inner, contextOf(use), keyId)
    const shared = await this.#sharedKey(bucket, keyId)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(shared.wrapped.length)
    return Buffer.concat([length, shared.wrapped, sealEnvelope(shared.key, inner, contextOf(use))])
  }

  async #unwrapNamed(bucket: Bucket, bytes: Uint8Array, use: NamedUse): Promise<Buffer> {
    const { keyId, bucketKey } = use.encryption
    if (bucketKey !== true) return this.#kms.unwrap(bytes, contextOf(use), keyId)
    const length = bytes.length < 2 ? 0 : Buffer.from(bytes).readUInt16BE()
    const shared = await this.#openShared(bucket, keyId, bytes.subarray(2, 2 + length))
    return openEnvelope(shared, bytes.subarray(2 + length), contextOf(use))
  }

  #sharedKey(bucket: Bucket, keyId: string): Promise<SharedKey> {
    return remembered(this.#sharedKeys, `${bucket.bucketId}/${keyId}`, async () => {
      const key = randomBytes(32)
      const wrapped = await this.#kms.wrap(key, sharedKeyContext(bucket.bucketId), keyId)
      return { key, wrapped }
    })
  }

  #openShared(bucket: Bucket, keyId: string, wrapped: Uint8Array): Promise<Buffer> {
    const name = `${bucket.bucketId}/${keyId}/${Buffer.from(wrapped).toString('base64')}`
    return remembered(this.#openedKeys, name, () =>
      this.#kms.unwrap(wrapped, sharedKeyContext(bucket.bucketId), keyId),
    )
  }

  #bucketKey(bucket: Bucket): Promise<Buffer> {
    return remembered(this.#bucketKeys, bucket.bucketId, () =>
      this.#kms.unwrap(bucket.wrappedKey, bucketKeyContext(bucket.bucketId)),
    )
  }
}

interface NamedUse {
  readonly wrapping: string
  readonly encryption: KmsEncryption
}

/** Binds a wrapped key to its object and to the client's encryption context. */
function contextOf({ wrapping, encryption }: NamedUse): string {
  return encryption.context === undefined ? wrapping : `${wrapping}\n${encryption.context}`
}

/** Binds a shared key to its bucket. */
function sharedKeyContext(bucketId: string): string {
  return `shared/${bucketId}`
}

function formOf(encryption: Protection | ObjectEncryption | undefined): Form {
  if (encryption === undefined) return 'envelope-v1'
  if (encryption.kind === 'customer') return 'customer-v1'
  return encryption.bucketKey === true ? 'kms-shared-v1' : 'kms-v1'
}

/** One look-up for all who ask meanwhile; a failed one is not remembered. */
function remembered<V>(
  cache: ExpiringCache<string, Promise<V>>,
  name: string,
  find: () => Promise<V>,
): Promise<V> {
  const cached = cache.get(name)
  if (cached !== undefined) return cached
  const finding = find()
  cache.set(name, finding)
  finding.catch(() => cache.delete(name))
  return finding
}

/**
 * The ETag of a body whose MD5 is known (lower-case hex, as the result): just that; but under SSE-C, as on AWS, not that,
 * which would tell everyone who may list the bucket what the customer's key protects. The same bytes under the same data
 * key have the same one.
 */
export function etagUnder(
  { key: dataKey, encryption }: Pick<NewDataKey, 'key' | 'encryption'>,
  md5: string,
): string {
  if (encryption?.kind !== 'customer') return md5
  const key = Buffer.from(hkdfSync('sha256', dataKey, '', 'bundescloud etag v1', 32))
  return createHmac('sha256', key).update(md5).digest('hex').slice(0, 32)
}
