/** PutObjectLegalHold: holds a version, or lifts the hold. */
import { defineOperation } from '../operation.ts'
import { amendVersion } from '../s3/amendment.ts'
import { decodeLegalHold, requireObjectLock } from '../s3/retention.ts'
import { requestedVersion } from '../s3/versions.ts'

export const putObjectLegalHold = defineOperation({
  name: 'PutObjectLegalHold',
  method: 'PUT',
  target: 'object',
  subresource: 'legal-hold',
  action: 's3:PutObjectLegalHold',
  body: 'xml',
  documentKeys: (request) => ({
    's3:object-lock-legal-hold': [decodeLegalHold(request.document('LegalHold')) ? 'ON' : 'OFF'],
  }),
  decode: (request) => ({
    key: request.key,
    versionId: requestedVersion(request),
    on: decodeLegalHold(request.document('LegalHold')),
  }),
  call: ({ on, ...name }, context) => {
    requireObjectLock(context.bucket)
    return amendVersion(name, { kind: 'legal-hold', on }, { context })
  },
  encode: () => ({ status: 200 }),
})
