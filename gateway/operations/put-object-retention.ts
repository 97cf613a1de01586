/**
 * PutObjectRetention: lengthens a retention, or changes it as far as its mode and the caller's right to bypass allow.
 * What is too weak is refused by the catalog.
 */
import { bypassActions } from '../auth/admission.ts'
import { defineOperation } from '../operation.ts'
import { amendVersion } from '../s3/amendment.ts'
import {
  asksForBypass,
  decodeRetention,
  requireFuture,
  requireObjectLock,
  retentionKeys,
} from '../s3/retention.ts'
import { requestedVersion } from '../s3/versions.ts'

export const putObjectRetention = defineOperation({
  name: 'PutObjectRetention',
  method: 'PUT',
  target: 'object',
  subresource: 'retention',
  action: 's3:PutObjectRetention',
  furtherActions: bypassActions,
  body: 'xml',
  documentKeys: (request, nowMs) => retentionKeys(decodeRetention(request.document('Retention')), nowMs),
  decode: (request) => ({
    key: request.key,
    versionId: requestedVersion(request),
    retention: decodeRetention(request.document('Retention')),
    bypassGovernance: asksForBypass(request.headers),
  }),
  call: ({ key, versionId, retention, bypassGovernance }, context) => {
    requireObjectLock(context.bucket)
    requireFuture(retention, context.nowMs)
    const change = { kind: 'retention', retention } as const
    return amendVersion({ key, versionId }, change, { context, bypassGovernance })
  },
  encode: () => ({ status: 200 }),
})
