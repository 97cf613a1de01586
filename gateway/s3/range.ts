/**
 * The Range header: one range of bytes, its three forms, against a known size.
 *
 * Syntactically wrong and multiple ranges are ignored, as AWS does: the whole object is the answer.
 * Source: RFC 9110 section 14; AWS GetObject ("Amazon S3 doesn't support retrieving multiple ranges of data").
 */
import type { ByteRange } from '../object/object-store.ts'
import { S3Error } from './errors.ts'

/** What the header asks, before the size is known. `last` undefined: to the end; `suffix`: so many last bytes. */
export type RangeRequest =
  | { readonly kind: 'from'; readonly first: number; readonly last: number | undefined }
  | { readonly kind: 'suffix'; readonly bytes: number }

const form = /^bytes=(\d{0,16})-(\d{0,16})$/

/** Undefined: no range asked, or one that is to be ignored. */
export function parseRange(header: string | undefined): RangeRequest | undefined {
  if (header === undefined) return undefined
  const match = form.exec(header.replaceAll(' ', '').toLowerCase())
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') return last === '' ? undefined : { kind: 'suffix', bytes: Number(last) }
  if (last === '') return { kind: 'from', first: Number(first), last: undefined }
  if (Number(last) < Number(first)) return undefined
  return { kind: 'from', first: Number(first), last: Number(last) }
}

/** The bytes that exist of the range asked. Throws InvalidRange (416) when there are none. */
export function resolveRange(range: RangeRequest, bytes: number): ByteRange {
  const first = range.kind === 'suffix' ? Math.max(0, bytes - range.bytes) : range.first
  const last =
    range.kind === 'suffix' || range.last === undefined ? bytes - 1 : Math.min(range.last, bytes - 1)
  if (first > last || (range.kind === 'suffix' && range.bytes === 0)) {
    throw new S3Error('InvalidRange', undefined, {
      details: { ActualObjectSize: bytes },
      headers: { 'content-range': `bytes */${bytes}` },
    })
  }
  return { firstByte: first, lastByte: last }
}

/** `x-amz-copy-source-range`: strictly `bytes=first-last`, both given and within the source. Throws InvalidArgument, InvalidRange. */
export function resolveCopyRange(header: string, bytes: number): ByteRange {
  const match = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(header)
  const first = Number(match?.[1])
  const last = Number(match?.[2])
  if (match === null || first > last) {
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      { details: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header } },
    )
  }
  if (last >= bytes) {
    // AWS documents no error for this; ceph's suite wants the code that a read of such a range gets.
    throw new S3Error('InvalidRange', `Range specified is not valid for source object of size: ${bytes}`, {
      details: { ActualObjectSize: bytes },
    })
  }
  return { firstByte: first, lastByte: last }
}

export function contentRange(range: ByteRange, bytes: number): string {
  return `bytes ${range.firstByte}-${range.lastByte}/${bytes}`
}
