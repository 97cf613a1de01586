/** PutObject: one body, one version. */
import { conditionalActions, objectWriteActions } from '../auth/admission.ts'
import { defineOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeObjectWrite, writeObject, writtenObjectHeaders } from '../s3/object-write.ts'

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
    return decodeObjectWrite(request)
  },
  call: writeObject,
  encode: (written, write, { bucket }) => ({
    status: 200,
    headers: writtenObjectHeaders(written, write, bucket),
  }),
})
