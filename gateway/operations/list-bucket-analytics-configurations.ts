/** ListBucketAnalyticsConfigurations: buckets have no storage class analyses. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const listBucketAnalyticsConfigurations = defineOperation({
  name: 'ListBucketAnalyticsConfigurations',
  method: 'GET',
  target: 'bucket',
  subresource: 'analytics',
  action: 's3:GetAnalyticsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({
    status: 200,
    body: document('ListBucketAnalyticsConfigurationResult', element('IsTruncated', false)),
  }),
})
