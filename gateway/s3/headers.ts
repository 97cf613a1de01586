/**
 * Headers of objects: what a client says about an object on writes, and what it gets back on reads.
 *
 * Invariant: a header that would change what is stored and that we do not implement is refused with NotImplemented,
 * never dropped. Header text is kept as it came on the wire (one character a byte, latin1), so that the bytes that a
 * client sent are the bytes that it gets back, whatever their encoding.
 */
import type { ObjectMetadata } from '../../node/core/catalog-types.ts'
import { gatewayLimits } from '../limits.ts'
import { headerNotImplemented, invalidArgument, S3Error } from './errors.ts'
import { checkStorageClass } from './storage-class.ts'

/** Lower-case names; duplicates joined, as node does. */
export type Headers = Readonly<Record<string, string | undefined>>

/** Names of system metadata that are kept and given back. */
const systemNames = [
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
  'expires',
] as const

/** Kept and given back like system metadata, but belongs to one object: a copy has its own or none. */
export const redirectHeader = 'x-amz-website-redirect-location'
const redirectShape = /^(\/|https?:\/\/)/

const metaPrefix = 'x-amz-meta-'
const defaultContentType = 'binary/octet-stream'

/** Headers that ask for more than a plain private object in the only storage class; the values listed ask for just that. */
const restricted: Readonly<Record<string, readonly string[]>> = {
  'x-amz-bucket-namespace': ['global'],
  'x-amz-bucket-object-lock-enabled': ['false'],
  'x-amz-write-offset-bytes': [],
}

/** Throws NotImplemented for a header that must not be ignored on a write, InvalidStorageClass for that one. */
export function refuseUnimplemented(headers: Headers): void {
  checkStorageClass(headers)
  for (const name in headers) {
    if (!name.startsWith('x-amz-')) continue
    const allowed = restricted[name]
    if (allowed !== undefined && !allowed.includes(headers[name] ?? '')) throw headerNotImplemented(name)
  }
}

/** `aws-chunked` describes the transfer, not the object. Undefined when nothing else is left. */
export function storedContentEncoding(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const left = header
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked')
  return left.length === 0 ? undefined : left.join(', ')
}

/** Throws MetadataTooLarge over 2 KiB of user or of system metadata, InvalidRedirectLocation. */
export function decodeMetadata(headers: Headers): ObjectMetadata {
  const system: Record<string, string> = {}
  for (const name of systemNames) {
    const value = headers[name]
    if (value !== undefined && value !== '') system[name] = value
  }
  system['content-type'] ??= defaultContentType
  const encoding = storedContentEncoding(headers['content-encoding'])
  if (encoding !== undefined) system['content-encoding'] = encoding
  const redirect = decodeRedirect(headers)
  if (redirect !== undefined) system[redirectHeader] = redirect
  let bytes = 0
  for (const name in system) bytes += name.length + (system[name]?.length ?? 0)
  checkMetadataBytes(bytes, gatewayLimits.systemMetadataBytesMax)
  return { system, user: decodeUserMetadata(headers) }
}

/** Where a website sends who asks for the object. Throws InvalidRedirectLocation. */
function decodeRedirect(headers: Headers): string | undefined {
  const location = headers[redirectHeader]
  if (location === undefined || location === '') return undefined
  if (!redirectShape.test(location)) throw new S3Error('InvalidRedirectLocation')
  return location
}

/** What a copy takes over from its source: everything but the redirect, which its own headers may give. */
export function copiedMetadata(source: ObjectMetadata, headers: Headers): ObjectMetadata {
  const { [redirectHeader]: _, ...system } = source.system
  const redirect = decodeRedirect(headers)
  return {
    ...source,
    system: redirect === undefined ? system : { ...system, [redirectHeader]: redirect },
  }
}

function decodeUserMetadata(headers: Headers): Record<string, string> {
  const user: Record<string, string> = {}
  let bytes = 0
  for (const name in headers) {
    if (!name.startsWith(metaPrefix)) continue
    const value = headers[name] ?? ''
    const short = name.slice(metaPrefix.length)
    bytes += short.length + value.length
    user[short] = value
  }
  checkMetadataBytes(bytes, gatewayLimits.userMetadataBytesMax)
  return user
}

function checkMetadataBytes(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return
  throw new S3Error('MetadataTooLarge', undefined, { details: { Size: bytes, MaxSizeAllowed: bytesMax } })
}

/** Adds an object's metadata to the headers of a read. */
export function encodeMetadata(metadata: ObjectMetadata, headers: Record<string, string>): void {
  for (const name in metadata.system) headers[name] = metadata.system[name] ?? ''
  for (const name in metadata.user) headers[metaPrefix + name] = metadata.user[name] ?? ''
}

const overrides: readonly (readonly [query: string, header: string])[] = [
  ['response-cache-control', 'cache-control'],
  ['response-content-disposition', 'content-disposition'],
  ['response-content-encoding', 'content-encoding'],
  ['response-content-language', 'content-language'],
  ['response-content-type', 'content-type'],
  ['response-expires', 'expires'],
]

/** The `response-*` queries as headers. Throws InvalidArgument for values that cannot stand in a header. */
export function decodeOverrides(query: (name: string) => string | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [from, to] of overrides) {
    const value = query(from)
    if (value === undefined || value === '') continue
    const bytes = Buffer.from(value, 'utf8').toString('latin1')
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(bytes)) {
      throw invalidArgument(from, value, 'The value cannot be sent in a response header')
    }
    headers[to] = bytes
  }
  return headers
}
