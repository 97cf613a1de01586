/**
 * Keys of log objects. Source: AWS, "Log object key format" in "Logging requests with server access logging".
 */
import type { LogSource } from './access-log.ts'

/** `<prefix>YYYY-MM-DD-hh-mm-ss-<unique>`, or with account, region, bucket and day in front of it. UTC. */
export function logKey(source: LogSource, at: { firstMs: number; nowMs: number; unique: string }): string {
  const { bucket, ownerId, region, logging } = source
  const { targetPrefix, keyFormat = 'simple' } = logging
  const name = (ms: number) => `${stamp(ms)}-${at.unique}`
  if (keyFormat === 'simple') return targetPrefix + name(at.nowMs)
  // With EventTime all events of an object are of one day; hour, minute and second are zero then.
  const byEvent = keyFormat.partitionedBy === 'EventTime'
  const ms = byEvent ? Math.floor(at.firstMs / 86_400_000) * 86_400_000 : at.nowMs
  const day = stamp(ms).slice(0, 10).replaceAll('-', '/')
  return `${targetPrefix}${ownerId}/${region}/${bucket}/${day}/${name(ms)}`
}

/** `YYYY-MM-DD-hh-mm-ss` */
function stamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace(/[T:]/g, '-')
}
