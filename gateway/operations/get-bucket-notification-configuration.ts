/** GetBucketNotificationConfiguration: which events go where; an empty document when none do. */
import { defineOperation } from '../operation.ts'
import { encodeNotifications } from '../s3/notification.ts'

export const getBucketNotificationConfiguration = defineOperation({
  name: 'GetBucketNotificationConfiguration',
  method: 'GET',
  target: 'bucket',
  subresource: 'notification',
  action: 's3:GetBucketNotification',
  body: 'none',
  decode: () => undefined,
  call: async (_input, { bucket }) => ({
    rules: bucket.configuration?.notifications ?? [],
    eventBridge: bucket.configuration?.eventBridge ?? false,
  }),
  encode: (notifications) => ({ status: 200, body: encodeNotifications(notifications) }),
})
