/**
 * Dates in S3's three spellings: HTTP (RFC 9110), ISO 8601 in XML, basic ISO 8601 in signatures.
 */

const httpDates = new Map<number, string>()
const httpDatesMax = 256

/** `Sun, 06 Nov 1994 08:49:37 GMT`; fractions of a second are cut off. */
export function httpDate(ms: number): string {
  const second = Math.floor(ms / 1000)
  const known = httpDates.get(second)
  if (known !== undefined) return known
  const text = new Date(second * 1000).toUTCString()
  if (httpDates.size >= httpDatesMax) httpDates.clear()
  httpDates.set(second, text)
  return text
}

/** `1994-11-06T08:49:37.000Z`: AWS writes whole seconds, so that both spellings of one time agree. */
export function isoDate(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString()
}

/** Any of the HTTP date spellings, or ISO 8601; undefined when it is none of them. Milliseconds. */
export function parseHttpDate(text: string): number | undefined {
  if (text.length > 64 || !/\d/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** `YYYYMMDDTHHMMSSZ` as signatures use it; undefined when malformed or no such time. Milliseconds. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number)
  if (year === undefined || month === undefined) return undefined
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  // Date.UTC carries 31 February over to March: such a text is not a time.
  return amzDate(ms) === text ? ms : undefined
}

/** Inverse of parseAmzDate. */
export function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}
