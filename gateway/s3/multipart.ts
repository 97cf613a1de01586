/**
 * Rules of uploads in parts: which checksum they carry, and the ETag and checksum of the whole. Pure.
 * Source: AWS, "Checking object integrity in Amazon S3", "Multipart upload API and checksums".
 */
import { createHash } from 'node:crypto'
import type { Checksum, ChecksumAlgorithm, Part, Upload } from '../../node/core/catalog-types.ts'
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
  const algorithm = parseAlgorithm(named, 'x-amz-checksum-algorithm')
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

/** The algorithm to keep for a part. Throws InvalidRequest when the client sent another than the upload announced. */
export function partAlgorithm(upload: Upload, sent: ChecksumAlgorithm | undefined): ChecksumAlgorithm {
  const { algorithm } = uploadChecksum(upload)
  if (upload.checksum !== undefined && sent !== undefined && sent !== algorithm) {
    throw new S3Error(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${sent.toLowerCase()}`,
    )
  }
  return algorithm
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

/** Throws InvalidRequest for several or malformed ones. */
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

/** A part's checksum as XML. */
export function partChecksumElement(part: Pick<Part, 'checksum'>): string {
  const { checksum } = part
  return checksum === undefined ? '' : element(checksums[checksum.algorithm].element, checksum.value)
}
