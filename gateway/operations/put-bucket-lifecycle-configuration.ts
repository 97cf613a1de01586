/** PutBucketLifecycleConfiguration: replaces the lifecycle rules of a bucket. Rules without an id get a random one. */
import { randomBytes } from 'node:crypto'
import { gatewayLimits } from '../limits.ts'
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { decodeLifecycle } from '../s3/lifecycle.ts'

export const putBucketLifecycleConfiguration = defineOperation({
  name: 'PutBucketLifecycleConfiguration',
  method: 'PUT',
  target: 'bucket',
  subresource: 'lifecycle',
  action: 's3:PutLifecycleConfiguration',
  note: 'no transitions: one storage class',
  body: 'xml',
  documentBytesMax: gatewayLimits.lifecycleXmlBytesMax,
  decode: (request) => request.document('LifecycleConfiguration'),
  call: (root, context) =>
    configure(context, { lifecycle: decodeLifecycle(root, () => randomBytes(24).toString('base64url')) }),
  encode: () => ({ status: 200 }),
})
