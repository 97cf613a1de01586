/**
 * Rules of uploads in parts: which checksum they carry, and the ETag and checksum of the whole. Pure.
 * Source: AWS, "Checking object integrity in Amazon S3", "Multipart upload API and checksums".
 */
import { createHash } from 'node:crypto'
import type { Checksum, ChecksumAlgorithm, Upload, Version } from '../../node/core/catalog-types.ts'
import {
  checkDigestText,
  checksumAlgorithms,
  checksums,
  defaultAlgorithm,
  parseAlgorithm,
} from './checksum.ts'
import { isCrc } from './crc-combine.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { element } from './xml.ts'

export type AnnouncedChecksum = Pick<Checksum, 'algorithm' | 'type'>

/** What CreateMultipartUpload announces; undefined: nothing. Throws InvalidRequest for impossible pairs. */
export function announcedChecksum(headers: Headers): AnnouncedChecksum | undefined {
  const named = headers['x-amz-checksum-algorithm']
  const type = headers['x-amz-checksum-type']?.toUpperCase()
  if (named === undefined) {
    if (type === undefined) return undefined
    throw new S3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    )
  }
  const algorithm = parseAlgorithm(named)
  if (type === undefined) return { algorithm, type: algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE' }
  if (type !== 'FULL_OBJECT' && type !== 'COMPOSITE') {
    throw new S3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.')
  }
  const impossible = type === 'FULL_OBJECT' ? !isCrc(algorithm) : algorithm === 'CRC64NVME'
  if (impossible) {
    throw new S3Error(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    )
  }
  return { algorithm, type }
}

/** What the whole will carry: as announced, else AWS's default. */
export function uploadChecksum(upload: Upload): AnnouncedChecksum {
  return upload.checksum ?? { algorithm: defaultAlgorithm, type: 'FULL_OBJECT' }
}

/** Those that a part may bring although its upload announced none. The later ones of the model must be announced. */
const unannounced: ReadonlySet<ChecksumAlgorithm> = new Set([
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
])

/**
 * The algorithm to keep for a part. Throws InvalidRequest when the client sent another than the upload announced, or
 * one that had to be announced.
 */
export function partAlgorithm(upload: Upload, sent: ChecksumAlgorithm | undefined): ChecksumAlgorithm {
  const { algorithm } = uploadChecksum(upload)
  if (sent === undefined || sent === algorithm) return algorithm
  if (upload.checksum === undefined && unannounced.has(sent)) return algorithm
  const expected = upload.checksum?.algorithm.toLowerCase() ?? 'null'
  throw new S3Error(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${sent.toLowerCase()}`,
  )
}

/** `<md5 of the parts' md5s>-<parts>`, from the parts' ETags in order. */
export function multipartEtag(etags: readonly string[]): string {
  const hash = createHash('md5')
  for (const etag of etags) hash.update(Buffer.from(etag, 'hex'))
  return `${hash.digest('hex')}-${etags.length}`
}

/** The checksum of the whole that a client states when it completes an upload; base64, without part count. */
export interface StatedChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly value: string
}

/** Throws InvalidRequest for several, BadDigest for malformed ones. */
export function statedChecksum(headers: Headers): StatedChecksum | undefined {
  let found: StatedChecksum | undefined
  for (const algorithm of checksumAlgorithms) {
    const text = headers[checksums[algorithm].header]
    if (text === undefined) continue
    if (found !== undefined) {
      throw new S3Error(
        'InvalidRequest',
        'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
      )
    }
    const value = text.replace(/-\d{1,5}$/, '')
    checkDigestText(algorithm, value)
    found = { algorithm, value }
  }
  return found
}

export interface ObjectPart {
  readonly partNumber: number
  readonly bytes: number
  /** Of the part's own bytes. */
  readonly checksum: Checksum | undefined
}

/** The parts that an object was made of, one to an extent, in order; empty for one that was put whole. */
export function objectParts(version: Version): ObjectPart[] {
  return version.extents.flatMap(({ partNumber, bytes, checksum }) =>
    partNumber === undefined ? [] : [{ partNumber, bytes, checksum }],
  )
}

/** A part's checksum as XML. */
export function partChecksumElement({ checksum }: { readonly checksum?: Checksum | undefined }): string {
  return checksum === undefined ? '' : element(checksums[checksum.algorithm].element, checksum.value)
}
