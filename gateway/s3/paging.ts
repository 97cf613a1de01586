/**
 * Pages of listings: sizes, opaque continuation tokens, and the URL encoding of names in them. Pure.
 */
import { uriEncode } from '../auth/sigv4.ts'
import { invalidArgument } from './errors.ts'

/** A page size of a query: absent means `max`, larger ones are cut to it. Throws InvalidArgument. */
export function parsePageSize(name: string, text: string | undefined, max: number): number {
  if (text === undefined || text === '') return max
  const size = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(size <= 2_147_483_647)) {
    throw invalidArgument(name, text, `Argument ${name} must be an integer between 0 and 2147483647`)
  }
  return Math.min(size, max)
}

/** A page size that must be given within bounds, as ListBuckets and ListParts have it. Throws InvalidArgument. */
export function parsePositiveSize(name: string, text: string | undefined, max: number): number {
  const size = parsePageSize(name, text, max)
  if (size < 1)
    throw invalidArgument(name, text ?? '', `Argument ${name} must be an integer between 1 and ${max}`)
  return size
}

const tokenVersion = 'b1:'

/** Opaque to clients: where the next page begins. */
export function encodeToken(after: string): string {
  return Buffer.from(tokenVersion + after, 'utf8').toString('base64url')
}

/** Inverse of encodeToken. Throws InvalidArgument for a text that we did not write. */
export function decodeToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  const text = bytes.toString('utf8')
  if (!text.startsWith(tokenVersion) || encodeToken(text.slice(tokenVersion.length)) !== token) {
    throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect')
  }
  return text.slice(tokenVersion.length)
}

export type NameEncoder = (name: string) => string

const slashes = /%2F/g

/** `encoding-type` of a listing: how names stand in the answer. Throws InvalidArgument for anything but `url`. */
export function parseEncoding(text: string | undefined): { type: 'url' | undefined; encode: NameEncoder } {
  if (text === undefined || text === '') return { type: undefined, encode: (name) => name }
  if (text !== 'url')
    throw invalidArgument('encoding-type', text, 'Invalid Encoding Method specified in Request')
  return { type: 'url', encode: (name) => uriEncode(name).replace(slashes, '/') }
}

/** Byte order of UTF-8, which is the order of code points: JavaScript's own order differs beyond the BMP. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** The last name of a page, entries and common prefixes together: where the next page begins. */
export function lastOf(keys: readonly string[], commonPrefixes: readonly string[]): string {
  const key = keys.at(-1)
  const prefix = commonPrefixes.at(-1)
  if (key === undefined) return prefix ?? ''
  if (prefix === undefined) return key
  return compareKeys(key, prefix) > 0 ? key : prefix
}
