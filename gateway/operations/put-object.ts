/** PutObject: one body, one version; conditions are checked early to spare the client its upload, and again by the catalog. */

import { conditionalActions, objectWriteActions } from '../auth/admission.ts'
import { objectOf } from '../object/object-store.ts'
import { defineOperation } from '../operation.ts'
import { checksums } from '../s3/checksum.ts'
import { checkWrite, hasConditions, writeConditions } from '../s3/conditions.ts'
import { decodeEncryption, protectionFor, protectionHeaders } from '../s3/encryption.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeMetadata, refuseUnimplemented } from '../s3/headers.ts'
import { newObjectOwner } from '../s3/ownership.ts'

export const putObject = defineOperation({
  name: 'PutObject',
  method: 'PUT',
  target: 'object',
  action: 's3:PutObject',
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
      conditions: writeConditions(request.headers),
      encryption: decodeEncryption(request),
      body: request.body,
      headers: request.headers,
    }
  },
  call: async ({ key, metadata, conditions, encryption, body, headers }, context) => {
    const { store, call, bucket } = context
    const owner = await newObjectOwner(headers, context)
    if (hasConditions(conditions)) {
      const current = objectOf(await store.findObject({ bucket, key, expect: 'nothing' }, call))
      checkWrite(conditions, current?.version)
    }
    const protection = protectionFor(encryption, bucket)
    const put = { bucket, key, ...owner, metadata, conditions, body, protection }
    return { ...(await store.putObject(put, call)), protection }
  },
  encode: ({ etag, checksum, protection }) => ({
    status: 200,
    headers: {
      etag: `"${etag}"`,
      ...protectionHeaders(protection),
      ...(checksum === undefined
        ? {}
        : { [checksums[checksum.algorithm].header]: checksum.value, 'x-amz-checksum-type': checksum.type }),
    },
  }),
})
