/**
 * Names that clients choose: buckets, keys, ETags, parts, versions. Checks only; what exists is the store's business.
 * Source: AWS, "General purpose bucket naming rules", "Naming Amazon S3 objects".
 */
import { gatewayLimits } from '../limits.ts'
import { invalidArgument, S3Error } from './errors.ts'

const bucketShape = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const ipv4Shape = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/
const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-']
const reservedSuffixes = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3']

/** AWS's rules for general purpose buckets, 3 to 63 characters. */
export function isBucketName(name: string): boolean {
  return (
    bucketShape.test(name) &&
    !name.includes('..') &&
    !name.includes('.-') &&
    !name.includes('-.') &&
    !ipv4Shape.test(name) &&
    !reservedPrefixes.some((prefix) => name.startsWith(prefix)) &&
    !reservedSuffixes.some((suffix) => name.endsWith(suffix))
  )
}

/** Throws InvalidBucketName. */
export function checkBucketName(name: string): void {
  if (!isBucketName(name))
    throw new S3Error('InvalidBucketName', undefined, { details: { BucketName: name } })
}

/** Throws KeyTooLongError for keys of more than 1,024 bytes of UTF-8. */
export function checkKey(key: string): void {
  // Three bytes of UTF-8 at most for each UTF-16 unit: short keys need no count.
  if (key.length * 3 <= gatewayLimits.keyBytesMax) return
  const bytes = Buffer.byteLength(key)
  if (bytes > gatewayLimits.keyBytesMax) {
    throw new S3Error('KeyTooLongError', undefined, {
      details: { Size: bytes, MaxSizeAllowed: gatewayLimits.keyBytesMax },
    })
  }
}

const uploadIdShape = /^[0-9a-f]{1,64}$/

/** An id that we could have given. Throws NoSuchUpload for any other. */
export function parseUploadId(text: string | undefined): string {
  if (text === undefined || !uploadIdShape.test(text)) throw new S3Error('NoSuchUpload')
  return text
}

/** As parseUploadId, for `upload-id-marker`; `''`: none. Throws InvalidArgument. */
export function parseUploadIdMarker(text: string | undefined): string {
  if (text === undefined || text === '' || uploadIdShape.test(text)) return text ?? ''
  throw invalidArgument('upload-id-marker', text, 'Invalid uploadId marker')
}

/** `partNumber` of a query, 1 to 10,000. Throws InvalidArgument. */
export function parsePartNumber(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > gatewayLimits.partNumberMax) {
    throw invalidArgument('partNumber', text, 'Part number must be an integer between 1 and 10000, inclusive')
  }
  return number
}
