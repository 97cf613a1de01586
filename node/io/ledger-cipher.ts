/**
 * Seals the bodies of one journal and commits to its events, so that every replica derives the same bytes.
 *
 * Keys: HKDF-SHA256 (RFC 5869) of the owner's journal key, salted with the journal's public key. That key is the
 * hash of the manifest (group, term, sequence, link, signers), so no two journals share keys.
 * Nonce: the first 96 bits of HMAC-SHA-256 over batch number and plaintext under a key of its own, as in SIV modes
 * (RFC 5297): equal input gives equal bytes on every replica, and different input never meets the same nonce, even
 * if a faulty leader cuts one batch in two ways. Why that is safe: decision 0151.
 * Commitments: SHA-256(salt, event), the salt is AES-256 of the entry's Raft index under a third key: opening one
 * event to a court reveals nothing about its neighbours.
 */
import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync } from 'node:crypto'
import type { JournalManifest, Sha256 } from '../core/journal.ts'
import { encodeBatchHead, journalFormat } from '../core/journal-block.ts'

/** AES-256-GCM with a synthetic nonce; further algorithms get further numbers. */
const algorithm = 1
const nonceBytes = 12
const tagBytes = 16
const headerBytes = 2 + nonceBytes
const saltBytes = 16

/** SHA-256 in hex, as the core wants it. */
export const sha256Hex: Sha256 = (bytes) => hash('sha256', bytes, 'hex')

/** Which batch of a journal a body is. */
export interface BatchPosition {
  readonly batch: number
  readonly firstIndex: number
  readonly lastIndex: number
}

/** A body cannot be opened: another key, or bytes that were changed. */
export class JournalSealError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'JournalSealError'
  }
}

export class JournalCipher {
  readonly #sealKey: Buffer
  readonly #nonceKey: Buffer
  readonly #saltKey: Buffer

  /**
   * @param ownerKey the owner's journal key (config `journalKey`), 32 bytes
   * @param journalKey public key of the journal, hex
   */
  constructor(ownerKey: Uint8Array, journalKey: string) {
    if (ownerKey.byteLength !== 32) throw new Error('journal: the owner key must have 32 bytes')
    const derived = Buffer.from(
      hkdfSync('sha256', ownerKey, Buffer.from(journalKey, 'hex'), 'bundescloud journal v1', 96),
    )
    this.#sealKey = derived.subarray(0, 32)
    this.#nonceKey = derived.subarray(32, 64)
    this.#saltKey = derived.subarray(64, 96)
  }

  /** Seals `plaintext`: u8 format, u8 algorithm, nonce, ciphertext, tag. The position is authenticated with it. */
  seal(position: BatchPosition, plaintext: Uint8Array): Buffer {
    const aad = additionalData(position)
    const nonce = createHmac('sha256', this.#nonceKey).update(aad).update(plaintext).digest()
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, nonce.subarray(0, nonceBytes))
    cipher.setAAD(aad)
    // A buffer of its own: what hypercore keeps of it must not hold a shared pool.
    const sealed = Buffer.allocUnsafeSlow(headerBytes + plaintext.byteLength + tagBytes)
    sealed[0] = journalFormat
    sealed[1] = algorithm
    sealed.set(nonce.subarray(0, nonceBytes), 2)
    sealed.set(cipher.update(plaintext), headerBytes)
    cipher.final()
    sealed.set(cipher.getAuthTag(), headerBytes + plaintext.byteLength)
    return sealed
  }

  /** Opens what `seal` made. Throws JournalSealError. */
  open(position: BatchPosition, sealed: Uint8Array): Buffer {
    if (sealed.byteLength < headerBytes + tagBytes) throw new JournalSealError('body is too short')
    if (sealed[0] !== journalFormat || sealed[1] !== algorithm) {
      throw new JournalSealError(`body has unknown format ${sealed[0]} or algorithm ${sealed[1]}`)
    }
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, sealed.subarray(2, headerBytes))
    decipher.setAAD(additionalData(position))
    decipher.setAuthTag(sealed.subarray(sealed.byteLength - tagBytes))
    try {
      const plaintext = decipher.update(sealed.subarray(headerBytes, sealed.byteLength - tagBytes))
      decipher.final()
      return plaintext
    } catch (cause) {
      throw new JournalSealError('body does not open: wrong journal key or changed bytes', { cause })
    }
  }

  /** One commitment per event, in order; `firstIndex` is the Raft index of the first. */
  commitments(firstIndex: number, events: readonly Uint8Array[]): Buffer[] {
    const salts = this.#salts(firstIndex, events.length)
    return events.map((event, at) => {
      const salt = salts.subarray(at * saltBytes, (at + 1) * saltBytes)
      return hash('sha256', Buffer.concat([salt, event]), 'buffer')
    })
  }

  /** The salt that opens the commitment to one event; given away together with the event, and only then. */
  salt(index: number): Buffer {
    return this.#salts(index, 1)
  }

  /** AES in counter mode with the Raft index as the counter is AES of each index: a pseudo-random function. */
  #salts(firstIndex: number, count: number): Buffer {
    const counter = Buffer.alloc(16)
    counter.writeBigUInt64BE(BigInt(firstIndex), 8)
    return createCipheriv('aes-256-ctr', this.#saltKey, counter).update(Buffer.alloc(count * saltBytes))
  }
}

/** The two blocks of a batch: sealed body (even), head in the clear (odd). */
export function sealBatch(
  manifest: JournalManifest,
  cipher: JournalCipher,
  position: BatchPosition,
  body: { plaintext: Uint8Array; events: readonly Uint8Array[] },
): [Buffer, Buffer] {
  const sealed = cipher.seal(position, body.plaintext)
  const head = encodeBatchHead({
    groupId: manifest.groupId,
    term: manifest.term,
    sequence: manifest.sequence,
    ...position,
    bodyHash: hash('sha256', sealed, 'buffer'),
    commitments: cipher.commitments(position.firstIndex, body.events),
  })
  return [sealed, Buffer.from(head.buffer, head.byteOffset, head.byteLength)]
}

function additionalData(position: BatchPosition): Buffer {
  const aad = Buffer.alloc(26)
  aad[0] = journalFormat
  aad[1] = algorithm
  aad.writeBigUInt64BE(BigInt(position.batch), 2)
  aad.writeBigUInt64BE(BigInt(position.firstIndex), 10)
  aad.writeBigUInt64BE(BigInt(position.lastIndex), 18)
  return aad
}
