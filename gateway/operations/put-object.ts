/** PutObject: one body, one version; conditions are checked early to spare the client its upload, and again by the catalog. */

import { conditionalActions, objectWriteActions } from '../auth/admission.ts'
import { objectOf } from '../object/object-store.ts'
import { defineOperation } from '../operation.ts'
import { decodeAttributes } from '../s3/attributes.ts'
import { checksums } from '../s3/checksum.ts'
import { checkWrite, hasConditions, writeConditions } from '../s3/conditions.ts'
import { decodeEncryption, protectionFor, protectionHeaders } from '../s3/encryption.ts'
import { S3Error } from '../s3/errors.ts'
import { expirationHeader } from '../s3/expiration.ts'
import { decodeMetadata, refuseUnimplemented } from '../s3/headers.ts'
import { newObjectOwner } from '../s3/ownership.ts'
import { checkProtectedUpload } from '../s3/retention.ts'
import { writtenHeaders } from '../s3/versions.ts'

export const putObject = defineOperation({
  name: 'PutObject',
  method: 'PUT',
  target: 'object',
  action: 's3:PutObject',
  raises: 'ObjectCreated:Put',
  furtherActions: [...objectWriteActions, ...conditionalActions],
  body: 'object',
  decode: (request) => {
    for (const name of ['partNumber', 'versionId']) {
      if (request.param(name) !== undefined) {
        throw new S3Error('InvalidArgument', `This operation does not accept ${name}.`, {
          details: { ArgumentName: name, ArgumentValue: request.param(name) ?? '' },
        })
      }
    }
    refuseUnimplemented(request.headers)
    return {
      key: request.key,
      metadata: decodeMetadata(request.headers),
      attributes: decodeAttributes(request.headers),
      conditions: writeConditions(request.headers),
      encryption: decodeEncryption(request),
      body: request.body,
      headers: request.headers,
    }
  },
  call: async (input, context) => {
    const { key, metadata, conditions, encryption, body, headers } = input
    const { store, call, bucket, nowMs } = context
    checkProtectedUpload(input.attributes, { bucket, nowMs, hasDigest: body.hasDigest })
    const owner = await newObjectOwner(headers, context)
    const attributes = { ...owner.attributes, ...input.attributes }
    if (hasConditions(conditions)) {
      const current = objectOf(await store.findObject({ bucket, key, expect: 'nothing' }, call))
      checkWrite(conditions, current?.version)
    }
    const protection = protectionFor(encryption, bucket)
    const put = { bucket, key, ...owner, metadata, attributes, conditions, body, protection }
    return { ...(await store.putObject(put, call)), protection }
  },
  encode: ({ etag, checksum, protection, ...written }, { key, body, attributes }, { bucket }) => ({
    status: 200,
    headers: {
      etag: `"${etag}"`,
      ...protectionHeaders(protection),
      ...writtenHeaders(written),
      ...expirationHeader(bucket, {
        key,
        bytes: body.bytes,
        tags: attributes?.tags,
        modifiedMs: written.modifiedMs,
      }),
      ...(checksum === undefined
        ? {}
        : { [checksums[checksum.algorithm].header]: checksum.value, 'x-amz-checksum-type': checksum.type }),
    },
  }),
})
