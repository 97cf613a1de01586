/**
 * The order of keys: by UTF-8 bytes, which is the order of code points, not of JavaScript's UTF-16 units.
 *
 * S3 lists in this order and stores sort in it; `<` on strings differs from it between U+E000 and the surrogates.
 */
import { invariant } from './invariant.ts'

const lastCodePoint = 0x10ffff
const beforeSurrogates = 0xd7ff
const afterSurrogates = 0xe000

/** Negative, zero or positive, as the UTF-8 bytes of `a` sort before, like or after those of `b`. Well-formed strings only. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const x = a.charCodeAt(at)
    const y = b.charCodeAt(at)
    if (x !== y) return rankOf(x) - rankOf(y)
  }
  return a.length - b.length
}

/** Lifts surrogates above all other units: they stand for code points from U+10000. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** The smallest string above every string that begins with `prefix`: the exclusive end of its range. Not for ''. */
export function prefixEnd(prefix: string): string {
  let start = prefix.length
  while (start > 0) {
    start -= start > 1 && isPair(prefix, start - 2) ? 2 : 1
    const last = prefix.codePointAt(start) ?? 0
    if (last < lastCodePoint) {
      return (
        prefix.slice(0, start) + String.fromCodePoint(last === beforeSurrogates ? afterSurrogates : last + 1)
      )
    }
  }
  invariant(false, 'a prefix has a character below U+10FFFF')
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff
}

/** Bytes of the text's UTF-8 form. */
export function utf8Bytes(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      bytes += 4
      at += 1
    } else bytes += 3
  }
  return bytes
}
