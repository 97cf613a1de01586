/**
 * Segments: the authenticated encryption of a blob's bytes.
 *
 * A blob's plaintext is cut into segments of `segmentBytes`; each is AES-256-GCM ciphertext followed by its 16-byte
 * tag, so that a range decrypts alone. Key: HKDF-SHA256 of the object version's data key and the blob id, used for
 * this blob only; nonce: the segment's index; authenticated with it: blob id, index and whether it is the last one.
 * So segments cannot be reordered, dropped, appended or moved to another blob (the STREAM construction of
 * Hoang, Reyhanitabar, Rogaway, Vizar 2015). No plaintext leaves before its segment's tag was verified.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { ClusterError } from '../../node/errors.ts'

export const TAG_BYTES = 16
/** Plaintext bytes per segment for new objects; stored with each version. Large: the cost of a segment is fixed. */
export const SEGMENT_BYTES = 256 * 1024

const HKDF_INFO = 'bundescloud segment aes-256-gcm v1'
const AAD_BYTES = 16 + 4 + 1

/** Ciphertext bytes of `plainBytes` of plaintext, tags included. */
export function ciphertextBytes(plainBytes: number, segmentBytes: number): number {
  return plainBytes + Math.ceil(plainBytes / segmentBytes) * TAG_BYTES
}

/** What identifies the stream of segments of one blob. `plainBytes` >= 1. */
export interface SegmentStream {
  /** 32 bytes: the object version's data key. */
  readonly dataKey: Uint8Array
  /** 32 hex digits. */
  readonly blobId: string
  readonly segmentBytes: number
  readonly plainBytes: number
}

interface SegmentKeys {
  readonly key: Buffer
  readonly nonce: Buffer
  readonly additional: Buffer
  readonly lastSegment: number
}

function segmentKeys(stream: SegmentStream): SegmentKeys {
  const blobId = Buffer.from(stream.blobId, 'hex')
  const additional = Buffer.alloc(AAD_BYTES)
  blobId.copy(additional)
  return {
    key: Buffer.from(hkdfSync('sha256', stream.dataKey, blobId, HKDF_INFO, 32)),
    nonce: Buffer.alloc(12),
    additional,
    lastSegment: Math.ceil(stream.plainBytes / stream.segmentBytes) - 1,
  }
}

function bindToSegment(keys: SegmentKeys, index: number): void {
  keys.nonce.writeUInt32BE(index, 8)
  keys.additional.writeUInt32BE(index, 16)
  keys.additional[20] = index === keys.lastSegment ? 1 : 0
}

/** Encrypts a blob in order. Feed all plaintext through `update`; it returns ciphertext as it becomes available. */
export class SegmentEncryptor {
  readonly #stream: SegmentStream
  readonly #keys: SegmentKeys
  #cipher: ReturnType<typeof newCipher> | undefined
  #segment = 0
  #segmentRest = 0
  #plainRest: number

  constructor(stream: SegmentStream) {
    this.#stream = stream
    this.#keys = segmentKeys(stream)
    this.#plainRest = stream.plainBytes
  }

  /** Appends ciphertext of `plain` to `output` (tags where segments end). Throws RangeError beyond `plainBytes`. */
  update(plain: Buffer, output: Buffer[]): void {
    if (plain.length > this.#plainRest) throw new RangeError('more plaintext than announced')
    for (let offset = 0; offset < plain.length; ) {
      if (this.#cipher === undefined) {
        bindToSegment(this.#keys, this.#segment)
        this.#cipher = newCipher(this.#keys)
        this.#segmentRest = Math.min(this.#stream.segmentBytes, this.#plainRest)
      }
      const take = Math.min(this.#segmentRest, plain.length - offset)
      output.push(this.#cipher.update(take === plain.length ? plain : plain.subarray(offset, offset + take)))
      offset += take
      this.#segmentRest -= take
      this.#plainRest -= take
      if (this.#segmentRest === 0) {
        this.#cipher.final()
        output.push(this.#cipher.getAuthTag())
        this.#cipher = undefined
        this.#segment++
      }
    }
  }
}

function newCipher(keys: SegmentKeys) {
  return createCipheriv('aes-256-gcm', keys.key, keys.nonce).setAAD(keys.additional)
}

/** Decrypts whole segments, from `firstSegment` on, in order. */
export class SegmentDecryptor {
  readonly #stream: SegmentStream
  readonly #keys: SegmentKeys
  #segment: number

  constructor(stream: SegmentStream, firstSegment: number) {
    this.#stream = stream
    this.#keys = segmentKeys(stream)
    this.#segment = firstSegment
  }

  /** Ciphertext bytes (with tag) of the next segment. */
  get nextBytes(): number {
    return this.#plainBytesOf(this.#segment) + TAG_BYTES
  }

  /**
   * Plaintext of the next segment, given exactly `nextBytes` in pieces. Throws ClusterError DecryptionFailed, after
   * which the decryptor still stands at this segment: other bytes for it may be tried.
   */
  segment(pieces: readonly Buffer[]): Buffer[] {
    bindToSegment(this.#keys, this.#segment)
    const decipher = createDecipheriv('aes-256-gcm', this.#keys.key, this.#keys.nonce, {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(this.#keys.additional)
    let rest = this.#plainBytesOf(this.#segment)
    const tag: Buffer[] = []
    const plain: Buffer[] = []
    for (const piece of pieces) {
      if (piece.length <= rest) plain.push(decipher.update(piece))
      else {
        if (rest > 0) plain.push(decipher.update(piece.subarray(0, rest)))
        tag.push(rest > 0 ? piece.subarray(rest) : piece)
      }
      rest = Math.max(0, rest - piece.length)
    }
    try {
      decipher.setAuthTag(tag.length === 1 && tag[0] !== undefined ? tag[0] : Buffer.concat(tag))
      decipher.final()
    } catch (cause) {
      throw new ClusterError('DecryptionFailed', `segment ${this.#segment} of a blob fails authentication`, {
        cause,
      })
    }
    this.#segment++
    return plain
  }

  #plainBytesOf(segment: number): number {
    return Math.min(this.#stream.segmentBytes, this.#stream.plainBytes - segment * this.#stream.segmentBytes)
  }
}
