/**
 * Canonical JSON: the one byte string that a plain value is signed as, whoever writes it (RFC 8785 for our values).
 *
 * Members of objects in the order of UTF-16 units, no white space, absent fields left out. Signed documents hold text,
 * safe integers, booleans, lists and objects only; anything else is refused, because two programs might write it in two
 * ways.
 */
import { invariant } from './invariant.ts'

/** Asserts that the value is made of the kinds above. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    members.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
  }
  const plain = typeof value === 'boolean' || Number.isSafeInteger(value)
  invariant(
    plain || (typeof value === 'string' && value.isWellFormed()),
    'a signed value has one way to be written',
  )
  return JSON.stringify(value)
}
