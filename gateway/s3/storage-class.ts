/**
 * Storage classes: there is one, STANDARD, and an object is never stored in another way than its client asked for.
 *
 * AWS's other classes are promises of price, place or delay (one zone only, hours until a restore ...) that we do not
 * keep; reporting them would be a lie and dropping them silently too. So they are refused with AWS's own error for a
 * class that does not exist (ops/decisions/0196-one-storage-class.md).
 */
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'

export const storageClass = 'STANDARD'

/** `x-amz-storage-class` of a write. Throws InvalidStorageClass. */
export function checkStorageClass(headers: Headers): void {
  const wanted = headers['x-amz-storage-class']
  if (wanted === undefined || wanted === storageClass) return
  throw new S3Error('InvalidStorageClass', undefined, { details: { StorageClassRequested: wanted } })
}
