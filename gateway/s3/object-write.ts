/**
 * What PutObject and PostObject share: one body becomes one version, with all that headers (or a form's fields in their
 * place) say of it. Conditions are checked early to spare the client its upload, and again by the catalog.
 */
import type { WriteConditions } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import type { PutResult } from '../object/object-store.ts'
import { objectOf } from '../object/object-store.ts'
import type { BucketContext, S3Request } from '../operation.ts'
import { decodeAttributes } from './attributes.ts'
import { checksums } from './checksum.ts'
import { checkWrite, hasConditions, writeConditions } from './conditions.ts'
import { decodeEncryption, protectionFor, protectionHeaders } from './encryption.ts'
import { expirationHeader } from './expiration.ts'
import { decodeMetadata, refuseUnimplemented } from './headers.ts'
import { newObjectOwner } from './ownership.ts'
import { checkProtectedUpload } from './retention.ts'
import { writtenHeaders } from './versions.ts'

export type ObjectWrite = ReturnType<typeof decodeObjectWrite>

/** Throws InvalidArgument, InvalidTag, MetadataTooLarge, NotImplemented. */
export function decodeObjectWrite(request: S3Request) {
  const { key, headers, body } = request
  refuseUnimplemented(headers)
  const conditions: WriteConditions = writeConditions(headers)
  return {
    key,
    headers,
    metadata: decodeMetadata(headers),
    attributes: decodeAttributes(headers),
    conditions,
    encryption: decodeEncryption(request),
    body,
  }
}

export interface WrittenObject extends PutResult {
  readonly protection: ReturnType<typeof protectionFor>
}

/** Throws as ObjectStore.putObject, NoSuchKey, PreconditionFailed, InvalidRequest (protected without a digest). */
export async function writeObject(write: ObjectWrite, context: BucketContext): Promise<WrittenObject> {
  const { key, metadata, conditions, encryption, body, headers } = write
  const { store, call, bucket, nowMs } = context
  checkProtectedUpload(write.attributes, { bucket, nowMs, hasDigest: body.hasDigest })
  const owner = await newObjectOwner(headers, context)
  const attributes = { ...owner.attributes, ...write.attributes }
  if (hasConditions(conditions)) {
    const current = objectOf(await store.findObject({ bucket, key, expect: 'nothing' }, call))
    checkWrite(conditions, current?.version)
  }
  const protection = protectionFor(encryption, bucket)
  const put = { bucket, key, ...owner, metadata, attributes, conditions, body, protection }
  return { ...(await store.putObject(put, call)), protection }
}

/** What the answer says of the version. */
export function writtenObjectHeaders(
  { etag, checksum, protection, ...written }: WrittenObject,
  { key, body, attributes }: ObjectWrite,
  bucket: Bucket,
): Record<string, string> {
  const { modifiedMs } = written
  return {
    etag: `"${etag}"`,
    ...protectionHeaders(protection),
    ...writtenHeaders(written),
    ...expirationHeader(bucket, { key, bytes: body.receivedBytes, tags: attributes.tags, modifiedMs }),
    ...(checksum === undefined
      ? {}
      : { [checksums[checksum.algorithm].header]: checksum.value, 'x-amz-checksum-type': checksum.type }),
  }
}
