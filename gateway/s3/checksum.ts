/**
 * Checksums of the S3 model: names, where they travel, how they are computed, combined and written.
 *
 * Owns the arithmetic on digests; what is verified when lies in body.ts. MD5 is made by one factory, so that a
 * faster one can replace it.
 */
import { createHash } from 'node:crypto'
import type { Checksum, ChecksumAlgorithm, Part } from '../../node/core/catalog-types.ts'
import { Crc32, Crc32c, Crc64Nvme } from '../../wasm/checksum.ts'
import { Md5Scheduler, type Md5Stream } from '../../wasm/md5.ts'
import { combineCrc, isCrc } from './crc-combine.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { XxHash } from './xxhash.ts'

/** Computes one digest over buffers given in order; `digest` once, at the end. */
export interface Digester {
  update(chunk: Uint8Array): void
  digest(): Buffer
}

interface AlgorithmRow {
  readonly header: string
  /** Child element in XML. */
  readonly element: string
  readonly digestBytes: number
  readonly create: () => Digester
}

/** A CRC as S3 writes it: big-endian bytes. */
function toBytes(value: number | bigint, bytes: number): Buffer {
  const out = Buffer.allocUnsafe(bytes)
  if (typeof value === 'bigint') out.writeBigUInt64BE(value)
  else out.writeUInt32BE(value)
  return out
}

function crcDigester(
  stream: { update(chunk: Uint8Array): unknown; digest(): number | bigint },
  bytes: number,
): Digester {
  return {
    update(chunk) {
      stream.update(chunk)
    },
    digest: () => toBytes(stream.digest(), bytes),
  }
}

/** Bodies from this size on share the lanes of one kernel while several are under way; a small one is hashed at once. */
const LANE_BYTES_MIN = 1024 * 1024

let lanes: Md5Scheduler | undefined

/** MD5 of an upload of `bytes`, for its ETag and Content-MD5; side by side with those of other large uploads. */
export function createUploadMd5(bytes: number): Md5Stream {
  if (bytes >= LANE_BYTES_MIN) {
    lanes ??= new Md5Scheduler()
    return lanes.stream()
  }
  const hash = createHash('md5')
  return {
    update(chunk) {
      hash.update(chunk)
    },
    digest: async () => hash.digest(),
    abort: () => undefined,
  }
}

/** MD5 for ETags and Content-MD5. */
export function createMd5(): Digester {
  return createHash('md5')
}

export function createSha256(): Digester {
  return createHash('sha256')
}

export const checksums: Readonly<Record<ChecksumAlgorithm, AlgorithmRow>> = {
  CRC32: {
    header: 'x-amz-checksum-crc32',
    element: 'ChecksumCRC32',
    digestBytes: 4,
    create: () => crcDigester(new Crc32(), 4),
  },
  CRC32C: {
    header: 'x-amz-checksum-crc32c',
    element: 'ChecksumCRC32C',
    digestBytes: 4,
    create: () => crcDigester(new Crc32c(), 4),
  },
  CRC64NVME: {
    header: 'x-amz-checksum-crc64nvme',
    element: 'ChecksumCRC64NVME',
    digestBytes: 8,
    create: () => crcDigester(new Crc64Nvme(), 8),
  },
  SHA1: {
    header: 'x-amz-checksum-sha1',
    element: 'ChecksumSHA1',
    digestBytes: 20,
    create: () => createHash('sha1'),
  },
  SHA256: {
    header: 'x-amz-checksum-sha256',
    element: 'ChecksumSHA256',
    digestBytes: 32,
    create: createSha256,
  },
  SHA512: {
    header: 'x-amz-checksum-sha512',
    element: 'ChecksumSHA512',
    digestBytes: 64,
    create: () => createHash('sha512'),
  },
  MD5: {
    header: 'x-amz-checksum-md5',
    element: 'ChecksumMD5',
    digestBytes: 16,
    create: createMd5,
  },
  XXHASH64: {
    header: 'x-amz-checksum-xxhash64',
    element: 'ChecksumXXHASH64',
    digestBytes: 8,
    create: () => new XxHash('XXHASH64'),
  },
  XXHASH3: {
    header: 'x-amz-checksum-xxhash3',
    element: 'ChecksumXXHASH3',
    digestBytes: 8,
    create: () => new XxHash('XXHASH3'),
  },
  XXHASH128: {
    header: 'x-amz-checksum-xxhash128',
    element: 'ChecksumXXHASH128',
    digestBytes: 16,
    create: () => new XxHash('XXHASH128'),
  },
}

export const checksumAlgorithms = Object.keys(checksums) as readonly ChecksumAlgorithm[]

/** What AWS computes and keeps when a client sends no checksum. */
export const defaultAlgorithm: ChecksumAlgorithm = 'CRC64NVME'

const headerPrefix = 'x-amz-checksum-'
/** Begin with the prefix but are no digests. */
const notDigests: ReadonlySet<string> = new Set([
  'x-amz-checksum-algorithm',
  'x-amz-checksum-mode',
  'x-amz-checksum-type',
])
const byHeader = new Map(checksumAlgorithms.map((algorithm) => [checksums[algorithm].header, algorithm]))

/** Throws InvalidRequest for an unknown name. */
export function parseAlgorithm(name: string): ChecksumAlgorithm {
  const upper = name.toUpperCase()
  if (Object.hasOwn(checksums, upper)) return upper as ChecksumAlgorithm
  throw new S3Error(
    'InvalidRequest',
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${checksumAlgorithms.join(', ')}]`,
  )
}

/** What a client announced about its body: `value` (base64) in a header, or undefined: it follows in the trailer. */
export interface ClientChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly value: string | undefined
}

/**
 * Throws BadDigest unless `value` is base64 of a digest of this algorithm: it can match nothing that is received.
 * (AWS has been seen to answer InvalidRequest, undocumented; the conformance suite counts BadDigest.)
 */
export function checkDigestText(algorithm: ChecksumAlgorithm, value: string): void {
  const { header, digestBytes } = checksums[algorithm]
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === digestBytes && bytes.toString('base64') === value) return
  throw new S3Error('BadDigest', `Value for ${header} header is invalid.`)
}

function announcedTrailer(headers: Headers): ChecksumAlgorithm | undefined {
  const trailer = headers['x-amz-trailer']
  if (trailer === undefined) return undefined
  const names = trailer.split(',').map((name) => name.trim().toLowerCase())
  const digests = names.filter((name) => name.startsWith(headerPrefix))
  if (digests.length > 1) throw manyChecksums()
  const [name] = digests
  return name === undefined ? undefined : algorithmOfHeader(name)
}

function algorithmOfHeader(name: string): ChecksumAlgorithm {
  return byHeader.get(name) ?? parseAlgorithm(name.slice(headerPrefix.length))
}

function manyChecksums(): S3Error {
  return new S3Error(
    'InvalidRequest',
    'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
  )
}

/** The one checksum that a client sends with a body, or undefined. Throws InvalidRequest for several, BadDigest for malformed ones. */
export function clientChecksum(headers: Headers): ClientChecksum | undefined {
  let found: ClientChecksum | undefined
  for (const name in headers) {
    if (!name.startsWith(headerPrefix) || notDigests.has(name)) continue
    if (found !== undefined) throw manyChecksums()
    const algorithm = algorithmOfHeader(name)
    const value = headers[name] ?? ''
    checkDigestText(algorithm, value)
    found = { algorithm, value }
  }
  const trailing = announcedTrailer(headers)
  if (trailing !== undefined) {
    if (found !== undefined) throw manyChecksums()
    found = { algorithm: trailing, value: undefined }
  }
  const named = headers['x-amz-sdk-checksum-algorithm']
  if (named === undefined) return found
  const algorithm = parseAlgorithm(named)
  if (found === undefined) {
    // The SDK for JavaScript sends an MD5 as Content-MD5.
    if (algorithm === 'MD5' && headers['content-md5'] !== undefined) return undefined
    throw new S3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    )
  }
  if (found.algorithm !== algorithm) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.')
  }
  return found
}

/** As it stands in headers and XML: composite ones name the number of parts. */
export function checksumText(checksum: Checksum, parts: number): string {
  return checksum.type === 'COMPOSITE' ? `${checksum.value}-${parts}` : checksum.value
}

type MeasuredPart = Pick<Part, 'bytes' | 'checksum'>

/**
 * Checksum of an object from its parts' checksums, which must all be of `algorithm`; undefined when one is missing.
 * Source: AWS, "Checking object integrity": COMPOSITE is the digest of the parts' digests in order.
 */
export function combineParts(
  algorithm: ChecksumAlgorithm,
  type: Checksum['type'],
  parts: readonly MeasuredPart[],
): Checksum | undefined {
  const digests: Buffer[] = []
  for (const { checksum } of parts) {
    if (checksum?.algorithm !== algorithm) return undefined
    digests.push(Buffer.from(checksum.value, 'base64'))
  }
  if (type === 'FULL_OBJECT') {
    if (!isCrc(algorithm)) throw new Error(`${algorithm} of a whole does not follow from its parts`)
    const lengths = parts.map((part) => part.bytes)
    return { algorithm, type, value: combineCrc(algorithm, digests, lengths).toString('base64') }
  }
  const digester = checksums[algorithm].create()
  for (const digest of digests) digester.update(digest)
  return { algorithm, type, value: digester.digest().toString('base64') }
}
