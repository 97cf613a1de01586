/**
 * PutBucketNotificationConfiguration: replaces which events go where. A target must be one that this gateway's operator
 * has set up: to promise events that nobody sends would be a lie.
 */
import { randomUUID } from 'node:crypto'
import { eventBridgeTarget } from '../../node/core/notification.ts'
import { defineOperation } from '../operation.ts'
import { configure } from '../s3/configure.ts'
import { S3Error } from '../s3/errors.ts'
import { decodeNotifications } from '../s3/notification.ts'

export const putBucketNotificationConfiguration = defineOperation({
  name: 'PutBucketNotificationConfiguration',
  method: 'PUT',
  target: 'bucket',
  subresource: 'notification',
  action: 's3:PutBucketNotification',
  note: "targets of the gateway's operator",
  body: 'xml',
  decode: (request) => decodeNotifications(request.document('NotificationConfiguration'), randomUUID),
  call: async ({ rules, eventBridge }, context) => {
    const wanted = [...rules.map((rule) => rule.target), ...(eventBridge ? [eventBridgeTarget] : [])]
    for (const target of wanted) {
      if (context.eventTargets.has(target)) continue
      throw new S3Error('InvalidArgument', 'Unable to validate the following destination configurations', {
        details: { ArgumentName1: target, ArgumentValue1: 'The destination does not exist' },
      })
    }
    await configure(context, {
      notifications: rules.length === 0 ? null : rules,
      eventBridge: eventBridge ? true : null,
    })
  },
  encode: () => ({ status: 200 }),
})
